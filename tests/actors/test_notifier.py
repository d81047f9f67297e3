"""The Notifier: tells, then marks, and asks on until the outbox is empty; a lane a channel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from actors import names
from actors.notifier import Notifier
from aegis.clock import ScaledClock
from aegis.domain.delivery import (
    REFUSED_S,
    Failed,
    Manners,
    NoAnswer,
    Notice,
    Refused,
    RetryAfter,
)
from aegis.domain.ids import NANOS_PER_SECOND, EventId, Instant
from aegis.messages import (
    MarkNotified,
    MarkNotifyFailed,
    NoticesAdded,
    NoticesRead,
    ReadNotices,
)
from aegis.notify.log_channel import LogMessenger
from supervisors.runtime import SeededRuntime, ThreadRuntime
from tests.actors.ensemble import Ensemble
from tests.domain.kit import START
from tests.notify.messengers import CHAT, SILENCE, ScriptedMessenger
from tests.stage import Stage

ME = names.NOTIFIER
STORE = names.POSITION_STORE


class Scene:
    """The Notifier with its channels, and the store's outbox played by the test."""

    def __init__(self, stage: Stage, *messengers: ScriptedMessenger | LogMessenger) -> None:
        self.stage = stage
        self.house = Ensemble(stage)
        self.rows: dict[str, list[Notice]] = {each.channel: [] for each in messengers}
        self.failed: list[Failed] = []
        stage.launch(ME, partial(Notifier, messengers=messengers))

    def add(self, channel: str, *notices: Notice) -> None:
        self.rows[channel] += notices
        self.house.tell(ME, NoticesAdded())

    def serve(self) -> None:
        """Answer and do what the store was told so far, in order."""
        slot = self.stage.directory.slot(STORE)
        while slot.messages:
            match slot.messages.popleft():
                case ReadNotices(channel=channel, limit=limit, turn=turn):
                    found = tuple(self.rows[channel][:limit])
                    answer = NoticesRead(channel=channel, turn=turn, notices=found)
                    self.house.tell(ME, answer)
                case MarkNotified(told=told):
                    for event_id, channel in told:
                        kept = [n for n in self.rows[channel] if n.event_id != event_id]
                        self.rows[channel] = kept
                case MarkNotifyFailed(failed=failed):
                    self._fail(failed)

    def _fail(self, failed: Failed) -> None:
        self.failed.append(failed)
        rows = self.rows[failed.channel]
        place = next(i for i, n in enumerate(rows) if n.event_id == failed.event_id)
        if failed.next_attempt_at is None:
            del rows[place]
            return
        was = rows[place]
        rows[place] = notice(was.event_id, was.text, was.channel, attempts=was.attempts + 1)

    def until(self, is_so: Callable[[], bool]) -> None:
        def looks() -> bool:
            self.serve()
            return is_so()

        self.stage.wait_for(looks)

    def run_for(self, seconds: float) -> None:
        assert isinstance(self.stage.runtime, SeededRuntime)
        now = self.stage.runtime.clock.now
        end = now() + int(seconds * NANOS_PER_SECOND)

        def goes_on() -> bool:
            self.serve()
            return now() < end

        self.stage.runtime.run_while(goes_on)

    def lines(self, event: str) -> list[dict[str, object]]:
        return [fields for name, fields in self.stage.logged if name == event]


def notice(
    event_id: int,
    text: str = "",
    channel: str = "chat",
    *,
    attempts: int = 0,
    wait_until: Instant | None = None,
) -> Notice:
    told = text or f"news {event_id}"
    return Notice(
        EventId(event_id), channel, told, attempts, "PositionOpened", Instant(0), wait_until
    )


# On both runtimes --------------------------------------------------------------------------


def test_what_waits_in_the_outbox_is_told_in_order_and_marked(stage: Stage) -> None:
    log = LogMessenger(stage.log)
    scene = Scene(stage, log)
    scene.add("log", *(notice(n, channel="log") for n in (1, 2, 3)))
    scene.until(lambda: not scene.rows["log"])

    assert [line["text"] for line in scene.lines("Notified")] == ["news 1", "news 2", "news 3"]


def test_news_of_more_asks_again(stage: Stage) -> None:
    scene = Scene(stage, LogMessenger(stage.log))
    for number in (1, 2):
        scene.add("log", notice(number, channel="log"))
        scene.until(lambda: not scene.rows["log"])

    assert len(scene.lines("Notified")) == 2


def test_a_channel_that_hangs_holds_up_no_other(stage: Stage) -> None:
    hanging = ScriptedMessenger([SILENCE], channel="hanging")
    working = ScriptedMessenger(channel="working")
    scene = Scene(stage, hanging, working)
    scene.add("hanging", notice(1, channel="hanging"))
    scene.add("working", notice(1, channel="working"))
    scene.until(lambda: not scene.rows["working"])

    assert working.texts() == ["news 1"]
    assert scene.failed == []


def test_an_empty_outbox_ends_the_asking(stage: Stage) -> None:
    house = Ensemble(stage)
    stage.launch(ME, partial(Notifier, messengers=(LogMessenger(stage.log),)))
    (asked,) = house.wait_heard(STORE, ReadNotices)
    house.tell(ME, NoticesRead(channel="log", turn=asked.turn, notices=()))
    house.settle(ME)

    assert len(house.heard(STORE, ReadNotices)) == 1
    assert house.heard(STORE, MarkNotified) == []


def test_it_asks_once_at_a_time(stage: Stage) -> None:
    house = Ensemble(stage)
    stage.launch(ME, partial(Notifier, messengers=(LogMessenger(stage.log),)))
    for _ in range(3):
        house.tell(ME, NoticesAdded())
    house.settle(ME)

    assert len(house.heard(STORE, ReadNotices)) == 1


def test_an_answer_to_an_older_question_tells_nothing(stage: Stage) -> None:
    house = Ensemble(stage)
    stage.launch(ME, partial(Notifier, messengers=(LogMessenger(stage.log),)))
    (asked,) = house.wait_heard(STORE, ReadNotices)
    stale = NoticesRead(channel="log", turn=asked.turn - 1, notices=(notice(1, channel="log"),))
    house.tell(ME, stale)
    house.settle(ME)

    assert "Notified" not in stage.events()


# In a market that is faster than the clock --------------------------------------------------


@pytest.fixture
def fast_stage() -> Iterator[Stage]:
    runtime = ThreadRuntime(ScaledClock(START, 600))
    made = Stage(runtime)
    yield made
    made.clear()
    runtime.close()


def test_the_next_try_is_written_down_in_market_time(fast_stage: Stage) -> None:
    scene = Scene(fast_stage, ScriptedMessenger([NoAnswer("reset")]))
    scene.add("chat", notice(1))
    scene.until(lambda: bool(scene.failed))
    due = scene.failed[0].next_attempt_at
    assert due is not None
    assert due - START >= 600 * NANOS_PER_SECOND  # one real second


def test_a_wait_that_was_asked_for_is_read_in_real_time(fast_stage: Stage) -> None:
    scene = Scene(fast_stage, ScriptedMessenger())
    until = Instant(fast_stage.runtime.clock.now() + 600 * 30 * NANOS_PER_SECOND)
    scene.add("chat", notice(1, wait_until=until))
    scene.until(lambda: bool(scene.lines("NotifyWaits")))
    (line,) = scene.lines("NotifyWaits")
    assert 20 < float(str(line["seconds"])) <= 30


# Where a pause costs nothing ----------------------------------------------------------------


def test_a_failed_letter_is_tried_again_after_twice_the_wait(seeded_stage: Stage) -> None:
    chat = ScriptedMessenger([NoAnswer("reset")] * 3)
    scene = Scene(seeded_stage, chat)
    scene.add("chat", notice(1))
    scene.run_for(6.5)
    assert len(chat.letters) == 3
    scene.run_for(2)

    assert chat.texts() == ["news 1"] * 4
    assert [failed.error for failed in scene.failed] == ["no answer: reset"] * 3
    assert scene.rows["chat"] == []


def test_a_later_notice_never_overtakes_one_that_fails(seeded_stage: Stage) -> None:
    chat = ScriptedMessenger([NoAnswer("reset"), NoAnswer("reset")])
    scene = Scene(seeded_stage, chat)
    scene.add("chat", notice(1), notice(2))
    scene.run_for(10)

    assert chat.texts() == ["news 1", "news 1", "news 1", "news 2"]


def test_the_wait_goes_on_growing_over_a_restart(seeded_stage: Stage) -> None:
    chat = ScriptedMessenger([NoAnswer("reset")])
    scene = Scene(seeded_stage, chat)
    scene.add("chat", notice(1, attempts=4))
    scene.run_for(15)
    assert len(chat.letters) == 1
    scene.run_for(3)
    assert len(chat.letters) == 2


def test_who_asks_to_wait_is_left_alone_until_then(seeded_stage: Stage) -> None:
    chat = ScriptedMessenger([RetryAfter(90)])
    scene = Scene(seeded_stage, chat)
    scene.add("chat", notice(1))
    scene.run_for(89)
    assert len(chat.letters) == 1
    scene.run_for(2)
    assert len(chat.letters) == 2
    assert scene.failed[0].is_asked


def test_a_wait_that_was_asked_for_is_kept_to_after_a_restart(seeded_stage: Stage) -> None:
    chat = ScriptedMessenger()
    until = Instant(seeded_stage.runtime.clock.now() + 50 * NANOS_PER_SECOND)
    scene = Scene(seeded_stage, chat)
    scene.add("chat", notice(1, attempts=1, wait_until=until))
    scene.run_for(49)
    assert chat.letters == []
    scene.run_for(2)
    assert chat.texts() == ["news 1"]


def test_a_wait_of_our_own_ends_with_a_restart(seeded_stage: Stage) -> None:
    chat = ScriptedMessenger()
    scene = Scene(seeded_stage, chat)
    scene.add("chat", notice(1, attempts=30))
    scene.run_for(0.5)
    assert chat.texts() == ["news 1"]


def test_a_refusal_is_told_loudly_once_and_tried_again_slowly(seeded_stage: Stage) -> None:
    chat = ScriptedMessenger([Refused("403 blocked")] * 3)
    scene = Scene(seeded_stage, chat)
    scene.add("chat", notice(1))
    scene.run_for(2 * REFUSED_S + 10)
    assert len(chat.letters) == 3
    (line,) = scene.lines("NotifyFailed")
    assert line["level"] == "error"
    assert line["text"] == f"refused: 403 blocked; next try in {REFUSED_S} s"
    scene.run_for(REFUSED_S)
    assert scene.rows["chat"] == []
    (recovered,) = scene.lines("NotifyRecovered")
    assert recovered["failures"] == 3


def test_a_long_silence_is_told_once_an_hour(seeded_stage: Stage) -> None:
    chat = ScriptedMessenger([NoAnswer("reset")] * 1000)
    scene = Scene(seeded_stage, chat)
    scene.add("chat", notice(1))
    scene.run_for(3 * 3600 + 90)
    assert len(chat.letters) > 150
    assert len(scene.lines("NotifyFailed")) == 4


def test_a_text_that_is_never_taken_makes_way_and_is_told(seeded_stage: Stage) -> None:
    chat = ScriptedMessenger([Refused("message text is empty", is_final=True)])
    scene = Scene(seeded_stage, chat)
    scene.add("chat", notice(1), notice(2))
    scene.run_for(5)

    assert chat.texts() == ["news 1", "news 2"]
    assert [failed.next_attempt_at for failed in scene.failed] == [None]
    assert "given up" in str(scene.lines("NotifyFailed")[0]["text"])


def test_of_many_that_are_refused_as_one_only_the_bad_one_is_given_up(
    seeded_stage: Stage,
) -> None:
    final = Refused("message text is bad", is_final=True)
    chat = ScriptedMessenger([final, final])
    scene = Scene(seeded_stage, chat)
    scene.add("chat", *(notice(n) for n in range(1, 6)))
    scene.run_for(60)

    assert [failed.event_id for failed in scene.failed] == [1]
    told = "\n".join(chat.texts()[2:])
    assert all(f"news {n}" in told for n in (2, 3, 4, 5))


def test_letters_keep_the_distance_that_the_channel_asks_for(seeded_stage: Stage) -> None:
    chat = ScriptedMessenger(manners=Manners(deadline_s=10, interval_s=3))
    scene = Scene(seeded_stage, chat)
    scene.add("chat", *(notice(n) for n in range(1, 20)))
    scene.run_for(30)
    assert len(chat.letters) in {10, 11}


def test_a_backlog_goes_as_few_letters(seeded_stage: Stage) -> None:
    chat = ScriptedMessenger()
    scene = Scene(seeded_stage, chat)
    scene.add("chat", *(notice(n) for n in range(1, 251)))
    scene.run_for(10)

    assert len(chat.letters) == 3
    assert chat.texts()[0].startswith("100 notices that waited:")
    assert scene.rows["chat"] == []


def test_a_long_text_goes_in_parts_and_no_part_twice(seeded_stage: Stage) -> None:
    manners = Manners(deadline_s=10, interval_s=1, length_max=10)
    chat = ScriptedMessenger(manners=manners)
    chat.answers = [*chat.answers]
    scene = Scene(seeded_stage, chat)
    scene.add("chat", notice(1, "0123456789abcdefghijXYZ"))
    scene.run_for(0.5)
    chat.answers = [NoAnswer("reset")]
    scene.run_for(10)

    assert chat.texts() == ["0123456789", "abcdefghij", "abcdefghij", "XYZ"]
    assert scene.rows["chat"] == []


def test_a_call_that_raises_is_no_answer_and_its_text_is_not_kept(seeded_stage: Stage) -> None:
    chat = ScriptedMessenger([RuntimeError("https://example.test/bot123:SECRET/sendMessage")])
    scene = Scene(seeded_stage, chat)
    scene.add("chat", notice(1))
    scene.run_for(5)

    assert [failed.error for failed in scene.failed] == ["no answer: RuntimeError"]
    assert "SECRET" not in str(seeded_stage.logged)
    assert chat.texts() == ["news 1", "news 1"]


def test_a_silence_is_no_answer_after_the_deadline(seeded_stage: Stage) -> None:
    chat = ScriptedMessenger([SILENCE])
    scene = Scene(seeded_stage, chat)
    scene.add("chat", notice(1))
    scene.run_for(CHAT.deadline_s or 0)
    assert scene.failed == []
    scene.run_for(3)
    assert [failed.error for failed in scene.failed] == ["no answer: nothing within 10 s"]


def test_a_question_that_the_store_never_answers_is_asked_again(seeded_stage: Stage) -> None:
    chat = ScriptedMessenger()
    scene = Scene(seeded_stage, chat)
    scene.run_for(1)
    scene.add("chat", notice(1))
    scene.house.stage.runtime.run_now()  # type: ignore[union-attr]  # the seeded one
    seeded_stage.directory.slot(STORE).messages.clear()  # the question is lost with the store
    scene.run_for(1300)
    assert chat.texts() == ["news 1"]
