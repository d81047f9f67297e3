from __future__ import annotations

import pytest

from actors.directory import STOP, Address, Directory, Seat


class Town(Directory):
    """A directory with A, B and a kept Store, and notes of what was reported."""

    def __init__(self, depth_max: int | None = None) -> None:
        self.overflows: list[tuple[str, int]] = []
        self.dead_letters: list[tuple[str, object]] = []
        super().__init__(
            on_overflow=lambda name, dropped: self.overflows.append((name, dropped)),
            on_dead_letter=lambda name, message: self.dead_letters.append((name, message)),
        )
        self.add("A", depth_max=depth_max)
        self.add("B")
        self.add("Store", keeps_inbox=True)

    def seat(self, name: str, epoch: int, group_max: int = 4) -> Seat:
        self.open(name, epoch)
        seat = Seat()
        seat.bind(self, Address(name, epoch), group_max)
        return seat

    def tell_all(self, name: str, *messages: object) -> None:
        for message in messages:
            self.tell(None, name, message)


def test_messages_come_in_the_order_in_which_they_were_told() -> None:
    town = Town()
    town.tell_all("A", 1, 2, 3)
    seat = town.seat("A", 1)
    assert [seat.take(), seat.take(), seat.take(), seat.take()] == [1, 2, 3, None]


def test_a_message_to_nobody_known_is_its_senders_bug() -> None:
    with pytest.raises(AssertionError, match="'Nobody'"):
        Town().tell(None, "Nobody", 1)


def test_a_name_is_added_once() -> None:
    with pytest.raises(AssertionError, match="Expected a new name"):
        Town().add("A")


def test_what_a_fenced_incarnation_says_is_dropped_and_counted() -> None:
    town = Town()
    town.seat("A", 1)
    town.fence("A")
    town.tell(Address("A", 1), "B", "late")
    assert town.slot("B").depth == 0
    assert town.fenced_messages == 1


def test_what_a_replaced_incarnation_says_is_dropped_even_to_itself() -> None:
    town = Town()
    town.seat("A", 1)
    new = town.seat("A", 2)
    town.tell(Address("A", 1), "A", "late")
    town.tell(Address("A", 2), "A", "fresh")
    assert new.take() == "fresh"


def test_a_fenced_incarnation_gets_stop_and_steals_nothing() -> None:
    town = Town()
    old = town.seat("A", 1)
    new = town.seat("A", 2)
    town.tell_all("A", "for the new one")
    assert old.take() is STOP
    assert old.wait() is STOP
    assert new.take() == "for the new one"


def test_a_fence_for_an_old_epoch_leaves_the_new_incarnation_alone() -> None:
    town = Town()
    town.seat("A", 1)
    new = town.seat("A", 2)
    town.fence("A", 1)
    town.tell_all("A", 1)
    assert new.take() == 1


def test_an_epoch_is_never_given_twice() -> None:
    town = Town()
    town.seat("A", 1)
    town.fence("A")
    with pytest.raises(AssertionError, match="an epoch above 1, was 1"):
        town.open("A", 1)


def test_an_inbox_outlives_its_incarnation() -> None:
    town = Town()
    town.seat("A", 1)
    town.tell_all("A", "still here")
    town.fence("A")
    assert town.seat("A", 2).take() == "still here"


def test_a_full_inbox_drops_the_newest_and_says_so() -> None:
    town = Town(depth_max=2)
    town.tell_all("A", 1, 2, 3)
    seat = town.seat("A", 1)
    assert [seat.take(), seat.take(), seat.take()] == [1, 2, None]
    assert town.overflows == [("A", 1)]


def test_a_flood_is_counted_whole_and_reported_at_powers_of_two() -> None:
    town = Town(depth_max=1)
    town.tell_all("A", *range(101))
    assert town.slot("A").dropped == 100
    assert [dropped for _, dropped in town.overflows] == [1, 2, 4, 8, 16, 32, 64]


def test_an_overflow_hook_may_tell() -> None:
    directory = Directory(on_overflow=lambda name, _: directory.tell(None, "B", name))
    directory.add("A", depth_max=1)
    directory.add("B")
    directory.tell(None, "A", 1)
    directory.tell(None, "A", 2)
    assert list(directory.slot("B").messages) == ["A"]


def test_an_emptied_inbox_holds_nothing() -> None:
    town = Town()
    town.tell_all("A", 1, 2)
    town.empty("A")
    assert town.seat("A", 1).take() is None


def test_a_kept_inbox_cannot_be_emptied() -> None:
    with pytest.raises(AssertionError, match="not kept"):
        Town().empty("Store")


def test_a_stop_comes_after_what_waited_before_it() -> None:
    town = Town()
    seat = town.seat("A", 1)
    town.tell_all("A", 1)
    town.stop("A", 1)
    town.tell_all("A", 2)
    assert [seat.take(), seat.take()] == [1, STOP]


def test_a_stop_for_an_old_epoch_is_not_for_the_new_one() -> None:
    town = Town()
    town.seat("A", 1)
    new = town.seat("A", 2)
    town.stop("A", 1)
    assert new.take() is None


def test_a_group_is_looked_at_and_stays_until_it_is_dropped() -> None:
    town = Town()
    seat = town.seat("Store", 1, group_max=3)
    town.tell_all("Store", 1, 2, 3, 4)
    assert seat.take() == (1, 2, 3)
    assert town.slot("Store").depth == 4
    assert seat.drop(3)
    assert seat.take() == (4,)


def test_a_stop_splits_a_group() -> None:
    town = Town()
    seat = town.seat("Store", 1)
    town.tell_all("Store", 1, 2)
    town.stop("Store", 1)
    town.tell_all("Store", 3)
    assert seat.take() == (1, 2)
    seat.drop(2)
    assert seat.take() is STOP


def test_a_stop_that_meets_a_group_in_hand_comes_after_it() -> None:
    town = Town()
    seat = town.seat("Store", 1)
    town.tell_all("Store", 1, 2)
    seat.take()
    town.stop("Store", 1)
    seat.drop(2)
    assert seat.take() is STOP


def test_a_fenced_incarnation_removes_nothing() -> None:
    town = Town()
    old = town.seat("Store", 1)
    town.tell_all("Store", 1, 2)
    old.take()
    town.fence("Store")
    assert not old.drop(2)
    assert town.slot("Store").depth == 2


def test_a_group_that_was_being_decided_at_a_crash_comes_again_one_by_one() -> None:
    town = Town()
    town.tell_all("Store", 1, 2, 3, 4, 5)
    town.seat("Store", 1, group_max=3).take()
    seat = town.seat("Store", 2, group_max=3)
    taken = []
    for _ in range(4):
        group = seat.take()
        assert isinstance(group, tuple)
        taken.append(group)
        seat.drop(len(group))
    assert taken == [(1,), (2,), (3,), (4, 5)]


def test_a_message_that_crashes_alone_is_taken_out_and_reported() -> None:
    town = Town()
    town.tell_all("Store", 1, "deadly", 3)
    town.seat("Store", 1).take()
    second = town.seat("Store", 2)
    second.take()
    second.drop(1)
    assert second.take() == ("deadly",)
    third = town.seat("Store", 3)
    assert town.dead_letters == [("Store", "deadly")]
    assert third.take() == (3,)


def test_a_message_is_not_dead_before_its_second_crash() -> None:
    town = Town()
    town.tell_all("Store", "unlucky")
    town.seat("Store", 1).take()
    assert town.seat("Store", 2).take() == ("unlucky",)
    assert town.dead_letters == []


def test_a_trusted_group_comes_again_whole() -> None:
    town = Town()
    town.tell_all("Store", 1, 2, 3)
    seat = town.seat("Store", 1)
    seat.take()
    seat.trust()
    assert town.seat("Store", 2).take() == (1, 2, 3)


def test_a_suspect_alone_is_not_blamed_for_what_happens_after_its_deciding() -> None:
    town = Town()
    town.tell_all("Store", 1)
    town.seat("Store", 1).take()
    second = town.seat("Store", 2)
    second.take()
    second.trust()
    town.open("Store", 3)
    assert town.dead_letters == []
    assert town.slot("Store").depth == 1


def test_a_crash_with_nothing_in_hand_blames_nobody() -> None:
    town = Town()
    seat = town.seat("Store", 1)
    town.tell_all("Store", 1, 2)
    seat.take()
    seat.drop(2)
    town.tell_all("Store", 3, 4)
    assert town.seat("Store", 2).take() == (3, 4)


def test_a_closed_inbox_swallows_what_it_had_and_what_comes() -> None:
    town = Town()
    town.tell_all("A", 1)
    town.close("A")
    town.tell_all("A", 2, 3)
    assert town.slot("A").depth == 0
    assert town.overflows == []


def test_the_slot_says_since_when_its_incarnation_is_busy() -> None:
    town = Town()
    assert town.slot("A").busy_since is None
    old = town.seat("A", 1)
    old.busy_since = 5.0
    assert town.slot("A").busy_since == 5.0
    town.seat("A", 2)
    old.busy_since = 6.0
    assert town.slot("A").busy_since is None
