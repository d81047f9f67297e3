from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pykka
import pytest

from actors.base import (
    Actor,
    Context,
    Died,
    Started,
    StartFailed,
    Stopped,
    error_text,
    outcome_of,
)
from actors.directory import Address
from aegis.clock import ManualClock
from aegis.domain.ids import Generation, Instant
from aegis.ports import Raised
from supervisors.runtime import SeededRuntime
from tests.stage import BOSS, Stage

SHORT_S = 0.005


class Recorder(Actor):
    """Notes what it hears; what it is told to do is a function of itself."""

    def __init__(self, context: Context, notes: list[object]) -> None:
        super().__init__(context)
        self.notes = notes

    def receive(self, message: Any) -> None:
        if callable(message):
            message(self)
        else:
            self.notes.append(message)

    def on_stopped(self) -> None:
        self.notes.append("stopped")


def raising(error: BaseException) -> Callable[[Actor], None]:
    def act(_actor: Actor) -> None:
        raise error

    return act


def launch_recorder(stage: Stage, name: str = "A", epoch: int = 1) -> list[object]:
    notes: list[object] = []
    stage.launch(name, lambda context: Recorder(context, notes), epoch=epoch)
    return notes


def last_words(stage: Stage) -> Died | StartFailed:
    stage.wait_for(lambda: any(isinstance(m, Died | StartFailed) for m in stage.told_boss()))
    return next(m for m in stage.told_boss() if isinstance(m, Died | StartFailed))


def test_started_is_told_when_on_started_has_returned(stage: Stage) -> None:
    notes: list[object] = []

    class Starter(Actor):
        def on_started(self) -> None:
            notes.append(stage.told_boss())

    stage.launch("A", Starter)
    stage.wait_for(lambda: stage.told_boss() == [Started(name="A", epoch=1)])
    assert notes == [[]]


def test_a_start_that_raises_is_a_failed_start(stage: Stage) -> None:
    class Unstartable(Actor):
        def on_started(self) -> None:
            raise OSError("the disk is gone")

    stage.launch("A", Unstartable)
    assert last_words(stage).error.startswith("OSError: the disk is gone at test_base.py:")
    assert not any(isinstance(message, Started) for message in stage.told_boss())


def test_a_constructor_that_raises_is_a_failed_start(stage: Stage) -> None:
    def build(_context: Context) -> Actor:
        raise ValueError("no such strategy")

    stage.launch("A", build)
    assert isinstance(last_words(stage), StartFailed)


def test_messages_are_handled_in_order(stage: Stage) -> None:
    notes = launch_recorder(stage)
    for number in range(100):
        stage.tell("A", number)
    stage.wait_for(lambda: len(notes) == 100)
    assert notes == list(range(100))


def test_a_death_says_type_message_and_place_but_no_values(stage: Stage) -> None:
    launch_recorder(stage)
    value = "hunter2"

    def die(_actor: Actor) -> None:
        kept = value
        raise RuntimeError("bad turn" if kept else "")

    stage.tell("A", die)
    words = last_words(stage)
    assert words == Died(name="A", epoch=1, error=words.error)
    assert words.error.startswith("RuntimeError: bad turn at test_base.py:")
    assert words.error.endswith(" in die")
    assert value not in words.error


def test_a_death_is_one_log_line_with_its_traceback(stage: Stage) -> None:
    launch_recorder(stage)
    stage.tell("A", raising(RuntimeError("bad turn")))
    last_words(stage)
    ((event, fields),) = stage.logged
    assert (event, fields["name"], fields["epoch"]) == ("ActorDied", "A", 1)
    assert "Traceback" in fields["traceback"]


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_a_foreign_exception_ends_its_actor_and_no_other(
    stage: Stage, error: BaseException
) -> None:
    launch_recorder(stage, "A")
    others = launch_recorder(stage, "B")
    stage.tell("A", raising(error))
    assert isinstance(last_words(stage), Died)
    stage.tell("B", "alive")
    stage.wait_for(lambda: others == ["alive"])


def test_an_exception_that_cannot_be_written_is_a_death_like_others(stage: Stage) -> None:
    class Unwritable(Exception):  # noqa: N818  it is no error of ours
        def __str__(self) -> str:
            raise RuntimeError

    launch_recorder(stage)
    stage.tell("A", raising(Unwritable()))
    assert "cannot be read" in last_words(stage).error


def test_a_log_that_fails_hides_no_death(stage: Stage) -> None:
    def full_disk(_event: str, /, **_fields: object) -> None:
        raise OSError("disk full")

    stage.log = full_disk  # type: ignore[method-assign]
    launch_recorder(stage)
    stage.tell("A", raising(RuntimeError()))
    assert isinstance(last_words(stage), Died)


def test_a_dead_actor_handles_nothing_more(stage: Stage) -> None:
    notes = launch_recorder(stage, "A")
    others = launch_recorder(stage, "B")
    stage.tell("A", raising(RuntimeError()))
    stage.tell("A", "too late")
    last_words(stage)
    stage.tell("B", "after")
    stage.wait_for(lambda: others == ["after"])
    assert notes == []


def test_a_message_that_nobody_planned_for_is_a_death(stage: Stage) -> None:
    stage.launch("A", Actor)
    stage.tell("A", 42)
    assert "takes no 42" in last_words(stage).error


def test_a_stop_comes_after_the_waiting_messages_and_is_told(stage: Stage) -> None:
    notes = launch_recorder(stage)
    stage.tell("A", 1)
    stage.directory.stop("A", 1)
    stage.wait_for(lambda: Stopped(name="A", epoch=1) in stage.told_boss())
    assert notes == [1, "stopped"]


def test_a_fenced_actor_closes_its_things_and_tells_nobody(stage: Stage) -> None:
    notes = launch_recorder(stage)
    stage.wait_for(lambda: stage.told_boss() != [])
    stage.directory.fence("A")
    stage.wait_for(lambda: notes == ["stopped"])
    assert stage.told_boss() == [Started(name="A", epoch=1)]


def test_an_actor_replaced_before_it_began_opens_and_closes_nothing() -> None:
    notes: list[object] = []

    class Opener(Recorder):
        def on_started(self) -> None:
            self.notes.append("opened")

    runtime = SeededRuntime(ManualClock(Instant(0)), 1)
    stage = Stage(runtime)
    stage.launch("A", lambda context: Opener(context, notes))
    stage.directory.fence("A")
    runtime.run_until_quiet()
    assert notes == []
    assert stage.told_boss() == []


def test_an_actor_that_cannot_close_has_stopped_all_the_same(stage: Stage) -> None:
    class Sticky(Actor):
        def on_stopped(self) -> None:
            raise SystemExit("stuck")

    stage.launch("A", Sticky)
    stage.directory.stop("A", 1)
    stage.wait_for(lambda: Stopped(name="A", epoch=1) in stage.told_boss())
    assert stage.events() == ["ActorStopFailed"]


def test_a_timer_is_a_message_to_its_actor(stage: Stage) -> None:
    notes = launch_recorder(stage)
    stage.tell("A", lambda actor: actor.after(SHORT_S, "tick"))
    stage.wait_for(lambda: notes == ["tick"])


def test_a_repeating_timer_repeats_until_it_is_cancelled(stage: Stage) -> None:
    notes = launch_recorder(stage)
    timers: list[Any] = []

    def cancel(actor: Actor) -> None:
        timers[0].cancel()
        actor.tell("A", "cancelled")
        actor.after(4 * SHORT_S, "end")

    stage.tell("A", lambda actor: timers.append(actor.every(SHORT_S, "tick")))
    stage.wait_for(lambda: len(notes) == 3)
    stage.tell("A", cancel)
    stage.wait_for(lambda: notes[-1] == "end")
    assert notes[notes.index("cancelled") + 1 :] in (["end"], ["tick", "end"])  # one in flight


def test_a_timer_started_in_last_words_is_not_left_running() -> None:
    class Late(Recorder):
        def on_died(self, error: str) -> None:
            self.after(3600, error)

    runtime = SeededRuntime(ManualClock(Instant(0)), 1)
    stage = Stage(runtime)
    stage.launch("A", lambda context: Late(context, []))
    stage.tell("A", raising(RuntimeError()))
    runtime.run_until_quiet()
    assert runtime.clock.monotonic() == 0


def test_timers_of_a_dead_incarnation_are_not_heard_by_the_next(stage: Stage) -> None:
    launch_recorder(stage)
    stage.tell("A", lambda actor: actor.after(SHORT_S, "stale"))
    stage.tell("A", lambda actor: actor.every(SHORT_S, "stale"))
    stage.tell("A", raising(RuntimeError()))
    last_words(stage)
    notes = launch_recorder(stage, epoch=2)
    stage.tell("A", lambda actor: actor.after(3 * SHORT_S, "own"))
    stage.wait_for(lambda: notes != [])
    assert notes == ["own"]


def test_an_answer_is_put_into_the_actors_own_inbox(stage: Stage) -> None:
    notes = launch_recorder(stage)
    replies: list[Callable[[object], None]] = []
    stage.tell("A", lambda actor: replies.append(actor.reply_to()))
    stage.wait_for(lambda: replies != [])
    replies[0]("answer")
    stage.wait_for(lambda: notes == ["answer"])


def test_an_answer_to_a_dead_incarnation_is_not_heard_by_the_next(stage: Stage) -> None:
    launch_recorder(stage)
    replies: list[Callable[[object], None]] = []
    stage.tell("A", lambda actor: replies.append(actor.reply_to()))
    stage.tell("A", raising(RuntimeError()))
    last_words(stage)
    notes = launch_recorder(stage, epoch=2)
    replies[0]("stale")
    stage.tell("A", "fresh")
    stage.wait_for(lambda: notes != [])
    assert notes == ["fresh"]


def test_a_dead_actors_timers_hold_up_no_quiet() -> None:
    runtime = SeededRuntime(ManualClock(Instant(0)), 1)
    stage = Stage(runtime)
    launch_recorder(stage)
    stage.tell("A", lambda actor: actor.after(3600, "stale"))
    stage.tell("A", raising(RuntimeError()))
    runtime.run_until_quiet()
    assert runtime.clock.monotonic() == 0


def test_a_group_is_handled_together_and_then_gone(stage: Stage) -> None:
    groups: list[tuple[object, ...]] = []

    class Grouping(Actor):
        group_max = 2

        def receive_batch(self, messages: tuple[Any, ...]) -> None:
            groups.append(messages)

    slot = stage.directory.add("Store", keeps_inbox=True)
    for number in range(3):
        stage.tell("Store", number)
    stage.launch("Store", Grouping)
    stage.wait_for(lambda: slot.depth == 0)
    assert groups == [(0, 1), (2,)]


def test_outcome_of_hands_back_values_and_turns_exceptions_into_values() -> None:
    assert outcome_of(lambda: 5) == 5
    raised = outcome_of(lambda: 1 / 0)
    assert isinstance(raised, Raised)
    assert raised.error.startswith("ZeroDivisionError: division by zero at test_base.py:")


def test_an_errors_text_is_bounded() -> None:
    assert len(error_text(ValueError("x" * 100_000))) < 600


# What the shell takes for granted of pykka ------------------------------------------------


def test_pykka_still_has_the_hooks_that_the_shell_fills() -> None:
    hooks = {
        "_create_actor_inbox", "_create_future", "_start_actor_loop", "_actor_loop",
        "_actor_loop_setup", "_actor_loop_running", "_actor_loop_teardown",
        "_handle_receive", "_handle_failure", "_stop", "on_stop",
    }  # fmt: skip
    assert hooks <= set(vars(pykka.Actor))


def test_an_actor_starts_and_stops_by_pykkas_own_means(stage: Stage) -> None:
    notes: list[object] = []
    stage.directory.add("A")
    stage.directory.open("A", 1)
    context = Context(
        address=Address("A", 1),
        directory=stage.directory,
        runtime=stage.runtime,
        generation=Generation(0),
        supervisor=BOSS,
    )
    ref = Recorder.start(context, notes)
    assert ref in pykka.ActorRegistry.get_all()
    assert ref.stop(timeout=1)
    stage.wait_for(lambda: not ref.is_alive())
    assert notes == ["stopped"]
    assert ref not in pykka.ActorRegistry.get_all()


def test_a_message_put_past_the_directory_is_refused(stage: Stage) -> None:
    refs: list[pykka.ActorRef[Recorder]] = []
    launch_recorder(stage)
    stage.tell("A", lambda actor: refs.append(actor.actor_ref))
    stage.wait_for(lambda: refs != [])
    with pytest.raises(AssertionError, match="past the directory"):
        refs[0].tell("psst")


def test_a_dead_actor_leaves_pykkas_registry(stage: Stage) -> None:
    refs: list[pykka.ActorRef[Recorder]] = []
    launch_recorder(stage)
    stage.tell("A", lambda actor: refs.append(actor.actor_ref))
    stage.tell("A", raising(RuntimeError()))
    last_words(stage)
    assert not refs[0].is_alive()
    assert refs[0] not in pykka.ActorRegistry.get_all()


def test_pykkas_own_failure_path_ends_in_a_told_death(stage: Stage) -> None:
    launch_recorder(stage)
    error = RuntimeError("from within the loop")
    stage.tell("A", lambda actor: actor._handle_failure(RuntimeError, error, None))
    assert "from within the loop" in last_words(stage).error


def test_a_death_prints_nothing(stage: Stage, capfd: pytest.CaptureFixture[str]) -> None:
    launch_recorder(stage)
    stage.tell("A", raising(RuntimeError()))
    last_words(stage)
    assert capfd.readouterr() == ("", "")
