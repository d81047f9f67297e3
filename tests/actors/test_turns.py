"""Whose reconciliation comes next: people first, together, and nobody's twice."""

from __future__ import annotations

import pytest

from actors import names
from actors.turns import AT_START, WATCH, Turns
from aegis.messages import ReconcileNow

INTERVAL = ReconcileNow(trigger="interval")


def person(token: int, *, is_dry_run: bool = False) -> ReconcileNow:
    return ReconcileNow(
        trigger="operator", is_dry_run=is_dry_run, reply_to=names.COMMAND_LISTENER, token=token
    )


def turns(first: ReconcileNow, *queued: ReconcileNow) -> Turns:
    """Return turns whose first run is under way, and what was asked for meanwhile."""
    made = Turns(first)
    assert made.begin()
    for each in queued:
        made.put(each)
    return made


def all_of(made: Turns) -> list[tuple[ReconcileNow, ...]]:
    """Return the runs to come, in turn, where each is done to its end."""
    runs = []
    while made.begin():
        runs.append(made.under_way)
        made.finish()
    return runs


def test_people_go_first_and_their_run_does_for_what_was_wanted_before() -> None:
    assert all_of(turns(AT_START, INTERVAL, person(1))) == [(person(1),)]


def test_what_is_wanted_while_a_person_s_run_looks_comes_after_it() -> None:
    made = turns(person(1), INTERVAL)
    made.finish()
    assert all_of(made) == [(INTERVAL,)]


def test_what_a_person_s_run_did_not_come_to_is_wanted_yet() -> None:
    made = turns(AT_START, INTERVAL, person(1))
    assert made.begin()
    assert not made.let_go(lambda each: each.reply_to is not None)
    assert all_of(made) == [(INTERVAL,)]


def test_one_run_is_for_all_people_who_want_the_same() -> None:
    dry = person(2, is_dry_run=True)
    made = turns(AT_START, person(1), dry, person(3))
    assert all_of(made) == [(person(1), person(3)), (dry,)]


def test_who_asked_first_is_first_and_none_waits_for_a_run_that_nobody_waits_for() -> None:
    dry = person(2, is_dry_run=True)
    assert all_of(turns(INTERVAL, dry, person(1))) == [(dry,), (person(1),)]
    made = turns(dry, INTERVAL, person(1))
    made.give_way()
    assert all_of(made) == [(person(1),), (dry,)]


def test_what_nobody_waits_for_comes_once() -> None:
    made = turns(AT_START, INTERVAL, ReconcileNow(trigger="unknown outcome"), INTERVAL)
    assert all_of(made) == [(INTERVAL,)]


def test_a_dry_run_does_not_do_for_one_that_heals() -> None:
    dry = person(1, is_dry_run=True)
    assert all_of(turns(AT_START, dry, INTERVAL)) == [(dry,), (INTERVAL,)]


def test_who_is_looking_sees_others_as_well() -> None:
    assert all_of(turns(INTERVAL, WATCH)) == []


@pytest.mark.parametrize(
    ("present", "is_dry_run", "is_back"),
    [
        (INTERVAL, False, False),
        (INTERVAL, True, True),
        (WATCH, True, False),
        (AT_START, False, True),
    ],
)
def test_a_run_that_gives_way_comes_back_where_its_work_is_not_done(
    present: ReconcileNow, *, is_dry_run: bool, is_back: bool
) -> None:
    asked = person(1, is_dry_run=is_dry_run)
    made = turns(present, asked)
    made.give_way()
    assert all_of(made) == [(asked,), (present,)] if is_back else [(asked,)]


def test_a_person_s_run_that_gives_way_to_another_is_done_with_it() -> None:
    made = turns(person(1), person(2))
    made.give_way()
    assert all_of(made) == [(person(2), person(1))]


def test_who_was_told_waits_no_more() -> None:
    made = turns(AT_START, person(1), INTERVAL)
    assert made.let_go(lambda each: each.reply_to is not None)
    assert all_of(made) == [(INTERVAL,)]


def test_a_run_for_nobody_is_over() -> None:
    made = turns(person(1))
    assert not made.let_go(lambda each: each.reply_to is not None)
