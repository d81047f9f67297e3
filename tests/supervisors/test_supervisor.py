from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.base import Actor, Context
from aegis.clock import ManualClock
from aegis.domain.ids import Instant
from aegis.vitals import ReadVitals, TreeRead
from supervisors.runtime import SeededRuntime
from supervisors.spec import Branch, Child, OnExhausted, Patience, Strategy, Tree
from supervisors.supervisor import SUPERVISOR, Verdict
from tests.stage import BOSS, Stage

PATIENCE = Patience(backoff_ms_first=1, backoff_ms_max=5, stop_deadline_s=1)
SILENT_S = 0.1
ROOM = Path(__file__).parents[2]


class Player(Actor):
    """Does what its messages say, and notes who it is."""

    def __init__(self, context: Context, notes: list[tuple[str, int, object]]) -> None:
        super().__init__(context)
        self.notes = notes

    def on_started(self) -> None:
        self.note("started")

    def receive(self, message: Any) -> None:
        if callable(message):
            message(self)
        else:
            self.note(message)

    def on_stopped(self) -> None:
        self.note("stopped")

    def note(self, what: object) -> None:
        self.notes.append((self.name, self.epoch, what))


class Troupe:
    """A stage with a tree of players on it."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.notes: list[tuple[str, int, object]] = []
        self.stop: Callable[[], None] = lambda: None

    def child(
        self, name: str, *, on_exhausted: OnExhausted = "escalate", silent_after_s: float = 60
    ) -> Child:
        return Child(
            name=name,
            build=lambda context: Player(context, self.notes),
            on_exhausted=on_exhausted,
            silent_after_s=silent_after_s,
        )

    def play(
        self, *children: Child, strategy: Strategy = "one_for_one", patience: Patience = PATIENCE
    ) -> None:
        root = Branch(name="root", strategy=strategy, children=children)
        self.stop = self.stage.supervise(Tree(root=root), patience)
        self.stage.wait_running(children[-1].name, 1)

    def noted(self, what: object) -> list[tuple[str, int]]:
        return [(name, epoch) for name, epoch, noted in list(self.notes) if noted == what]


@pytest.fixture
def troupe(stage: Stage) -> Troupe:
    return Troupe(stage)


def die(_actor: Actor) -> None:
    raise RuntimeError("bad turn")


def test_children_start_in_order(stage: Stage, troupe: Troupe) -> None:
    troupe.play(*map(troupe.child, "ABC"))
    assert troupe.noted("started") == [("A", 1), ("B", 1), ("C", 1)]
    assert stage.events() == ["ActorStarted"] * 3


def test_a_dead_child_is_replaced_and_works(stage: Stage, troupe: Troupe) -> None:
    troupe.play(*map(troupe.child, "AB"))
    stage.tell("A", die)
    stage.wait_running("A", 2)
    stage.tell("A", "work")
    stage.wait_for(lambda: troupe.noted("work") == [("A", 2)])
    assert stage.events()[2:] == ["ActorDied", "ActorRestarting", "ActorStarted"]


def test_a_child_told_to_exit_the_process_is_replaced(stage: Stage, troupe: Troupe) -> None:
    troupe.play(troupe.child("A"))
    stage.tell("A", lambda _: sys.exit(3))
    stage.wait_running("A", 2)
    assert stage.verdicts == []


def test_rest_for_one_renews_the_later_ones_and_only_them(stage: Stage, troupe: Troupe) -> None:
    troupe.play(*map(troupe.child, "ABC"), strategy="rest_for_one")
    stage.tell("B", die)
    stage.wait_running("C", 2)
    assert troupe.noted("started") == [("A", 1), ("B", 1), ("C", 1), ("B", 2), ("C", 2)]
    stage.wait_for(lambda: troupe.noted("stopped") == [("C", 1)])


def test_mail_of_a_dead_child_is_thrown_away(stage: Stage, troupe: Troupe) -> None:
    troupe.play(troupe.child("A"))
    stage.tell("A", die)
    stage.tell("A", "stale")
    stage.wait_running("A", 2)
    stage.tell("A", "fresh")
    stage.wait_for(lambda: troupe.noted("fresh") != [])
    assert troupe.noted("stale") == []


def test_a_start_that_hangs_is_given_up(stage: Stage, troupe: Troupe) -> None:
    class Sleeper(Player):
        def on_started(self) -> None:
            if self.epoch == 1:
                stage.hang_here()
            super().on_started()

    child = Child(
        name="A", build=lambda context: Sleeper(context, troupe.notes), start_deadline_s=0.1
    )
    stage.supervise(Tree(root=Branch(name="root", strategy="one_for_one", children=(child,))),
                    PATIENCE)  # fmt: skip
    if isinstance(stage.runtime, SeededRuntime):
        stage.wait_for(lambda: stage.directory.slot("A").epoch == 1)
        stage.will_hang("A")
    stage.wait_running("A", 2)
    assert ("ActorSilent", "start") in [(e, f.get("during")) for e, f in stage.logged]


def test_a_child_that_cannot_be_built_is_tried_again_until_patience_ends(stage: Stage) -> None:
    def build(_context: Context) -> Actor:
        raise ValueError("no such strategy")

    child = Child(name="A", build=build)
    stage.supervise(
        Tree(root=Branch(name="root", strategy="one_for_one", children=(child,))), PATIENCE
    )
    stage.wait_for(lambda: stage.verdicts != [])
    assert stage.events().count("ActorStartFailed") == 1 + PATIENCE.restarts_max
    assert stage.verdicts[0].exit_code == 70
    assert "no such strategy" in stage.verdicts[0].reason


# The hung ---------------------------------------------------------------------------------


def test_a_hung_child_is_replaced_and_steals_no_message(stage: Stage, troupe: Troupe) -> None:
    troupe.play(troupe.child("A", silent_after_s=SILENT_S), troupe.child("B"))

    def hang(actor: Actor) -> None:
        stage.hang_here()
        actor.tell("B", "from the dead")

    stage.will_hang("A")
    stage.tell("A", hang)
    stage.wait_hung("A")
    stage.wait_running("A", 2)
    stage.release("A", 1)
    stage.wait_for(lambda: troupe.noted("stopped") == [("A", 1)])
    for number in range(20):
        stage.tell("A", number)
    stage.tell("B", "end")
    stage.wait_for(lambda: troupe.noted(19) != [] and troupe.noted("end") != [])
    assert [troupe.noted(number) for number in range(20)] == [[("A", 2)]] * 20
    assert troupe.noted("from the dead") == []
    assert stage.directory.fenced_messages > 0


def test_silence_is_logged_with_its_length(stage: Stage, troupe: Troupe) -> None:
    troupe.play(troupe.child("A", silent_after_s=SILENT_S))
    stage.will_hang("A")
    stage.tell("A", lambda _: stage.hang_here())
    stage.wait_running("A", 2)
    (silence,) = [fields for event, fields in stage.logged if event == "ActorSilent"]
    assert SILENT_S < silence["busy_s"] < 5


def test_a_child_that_works_on_many_messages_is_not_silent(stage: Stage, troupe: Troupe) -> None:
    troupe.play(troupe.child("A", silent_after_s=SILENT_S))
    stage.tell("A", lambda actor: actor.every(0.002, "tick"))
    stage.tell("A", lambda actor: actor.after(2 * SILENT_S, "end"))
    stage.wait_for(lambda: troupe.noted("end") != [])
    assert "ActorSilent" not in stage.events()


def test_a_child_that_has_nothing_to_do_is_not_silent(stage: Stage, troupe: Troupe) -> None:
    troupe.play(troupe.child("A", silent_after_s=SILENT_S))
    stage.tell("A", lambda actor: actor.after(2 * SILENT_S, "end"))
    stage.wait_for(lambda: troupe.noted("end") != [])
    assert "ActorSilent" not in stage.events()


# The store's inbox ------------------------------------------------------------------------


class Ledger:
    """What a store would have on disk: it outlives the actor."""

    def __init__(self) -> None:
        self.committed: list[int] = []
        self.crashes = 0


class Store(Actor):
    """Decides a group, then commits it; a command may be deadly, once or always."""

    group_max = 64

    def __init__(self, context: Context, ledger: Ledger) -> None:
        super().__init__(context)
        self.ledger = ledger

    def receive_batch(self, messages: tuple[Any, ...]) -> None:
        decided = [self.decide(message) for message in messages]
        self.trust_batch()
        new = [number for number in decided if number not in self.ledger.committed]
        self.ledger.committed += new

    def decide(self, message: Any) -> int:
        number, crashes_max = message
        if self.ledger.crashes < crashes_max:
            self.ledger.crashes += 1
            raise RuntimeError(f"command {number}")
        return int(number)


def play_store(stage: Stage, ledger: Ledger, commands: list[tuple[int, int]]) -> None:
    child = Child(name="Store", build=lambda context: Store(context, ledger), keeps_inbox=True)
    tree = Tree(root=Branch(name="root", strategy="one_for_one", children=(child,)))
    stage.supervise(tree, PATIENCE)
    for command in commands:
        stage.tell("Store", command)
    stage.wait_for(lambda: stage.directory.slot("Store").depth == 0)


def test_a_thousand_queued_commands_survive_a_crash_each_handled_once(stage: Stage) -> None:
    ledger = Ledger()
    play_store(stage, ledger, [(n, 1 if n == 500 else 0) for n in range(1000)])
    assert ledger.committed == list(range(1000))
    assert ledger.crashes == 1
    assert stage.dead_letters == []


def test_a_deadly_command_is_taken_out_alone_and_the_others_are_done(stage: Stage) -> None:
    ledger = Ledger()
    play_store(stage, ledger, [(n, 99 if n == 500 else 0) for n in range(1000)])
    assert stage.dead_letters == [("Store", (500, 99))]
    assert ledger.committed == [n for n in range(1000) if n != 500]
    assert ledger.crashes == 2


def test_a_failed_commit_makes_no_command_suspect(stage: Stage) -> None:
    failures = [OSError("disk full"), OSError("disk full"), OSError("disk full")]
    ledger = Ledger()

    class Disk(Store):
        def receive_batch(self, messages: tuple[Any, ...]) -> None:
            self.trust_batch()
            if failures:
                raise failures.pop()
            super().receive_batch(messages)

    child = Child(name="Store", build=lambda context: Disk(context, ledger), keeps_inbox=True)
    tree = Tree(root=Branch(name="root", strategy="one_for_one", children=(child,)))
    stage.supervise(tree, PATIENCE)
    stage.tell("Store", (1, 0))
    stage.wait_for(lambda: ledger.committed == [1])
    assert stage.dead_letters == []


def test_a_stop_empties_the_stores_inbox_first(stage: Stage) -> None:
    ledger = Ledger()
    child = Child(name="Store", build=lambda context: Store(context, ledger), keeps_inbox=True)
    tree = Tree(root=Branch(name="root", strategy="one_for_one", children=(child,)))
    stop = stage.supervise(tree, PATIENCE)
    stage.wait_running("Store", 1)
    for number in range(500):
        stage.tell("Store", (number, 0))
    stop()
    stage.wait_for(lambda: stage.verdicts != [])
    assert ledger.committed == list(range(500))


# The end ----------------------------------------------------------------------------------


def test_a_stop_ends_in_reverse_order_with_a_graceful_verdict(stage: Stage, troupe: Troupe) -> None:
    troupe.play(*map(troupe.child, "ABC"))
    troupe.stop()
    stage.wait_for(lambda: stage.verdicts != [])
    assert stage.verdicts == [Verdict(0, "stopped")]
    assert troupe.noted("stopped") == [("C", 1), ("B", 1), ("A", 1)]


def test_a_hung_child_does_not_hold_the_stop(stage: Stage, troupe: Troupe) -> None:
    troupe.play(troupe.child("A"), troupe.child("B"))
    stage.will_hang("B")
    stage.tell("B", lambda _: stage.hang_here())
    stage.wait_hung("B")
    before = stage.runtime.clock.monotonic()
    troupe.stop()
    stage.wait_for(lambda: stage.verdicts != [])
    assert stage.runtime.clock.monotonic() - before < PATIENCE.stop_deadline_s
    assert stage.verdicts == [Verdict(0, "stopped; fenced as overdue: B")]
    assert troupe.noted("stopped") == [("A", 1)]


def test_a_child_that_keeps_dying_ends_the_tree(stage: Stage, troupe: Troupe) -> None:
    troupe.play(troupe.child("A"), troupe.child("B"))
    for epoch in range(1, PATIENCE.restarts_max + 2):
        stage.wait_running("A", epoch)
        stage.tell("A", die)
    stage.wait_for(lambda: stage.verdicts != [])
    assert [verdict.exit_code for verdict in stage.verdicts] == [70]
    assert stage.events()[-1] == "SupervisorGaveUp"
    stage.wait_for(lambda: troupe.noted("stopped") == [("B", 1)])


def test_a_child_that_may_be_abandoned_does_not_end_the_tree(stage: Stage, troupe: Troupe) -> None:
    troupe.play(troupe.child("A"), troupe.child("B", on_exhausted="abandon"))
    for epoch in range(1, PATIENCE.restarts_max + 2):
        stage.wait_running("B", epoch)
        stage.tell("B", die)
    stage.wait_for(lambda: stage.abandoned == ["B"])
    stage.tell("A", "work")
    stage.wait_for(lambda: troupe.noted("work") == [("A", 1)])
    stage.tell("B", "to nobody")
    assert stage.directory.slot("B").depth == 0
    assert stage.verdicts == []


def test_a_supervisor_that_dies_itself_is_a_verdict(stage: Stage, troupe: Troupe) -> None:
    troupe.play(troupe.child("A"))
    stage.tell(SUPERVISOR, "gibberish")
    stage.wait_for(lambda: stage.verdicts != [])
    assert stage.verdicts[0].exit_code == 70
    assert stage.verdicts[0].reason.startswith("the supervisor died: ")


def test_a_faulty_tree_starts_nothing(stage: Stage) -> None:
    with pytest.raises(ValueError, match="Expected children"):
        stage.supervise(Tree(root=Branch(name="r", strategy="one_for_one", children=())), PATIENCE)
    assert SUPERVISOR not in {slot.name for slot in stage.directory}


def test_every_line_of_a_restart_says_who(stage: Stage, troupe: Troupe) -> None:
    troupe.play(troupe.child("A"))
    stage.tell("A", die)
    stage.wait_running("A", 2)
    assert [(event, fields["name"]) for event, fields in stage.logged] == [
        ("ActorStarted", "A"), ("ActorDied", "A"), ("ActorRestarting", "A"), ("ActorStarted", "A"),
    ]  # fmt: skip


# One seed, one history --------------------------------------------------------------------


class Gossip(Actor):
    """Passes messages on at will, calls out, dies at times: a history worth comparing."""

    def __init__(self, context: Context, notes: list[str]) -> None:
        super().__init__(context)
        self.notes = notes

    def on_started(self) -> None:
        self.every(0.03, 7)

    def receive(self, message: Any) -> None:
        at = self.clock.now()
        self.notes.append(f"{at} {self.name}/{self.epoch} {message}")
        if not isinstance(message, int):
            return
        if message % 11 == 10:
            raise RuntimeError(str(message))
        if message % 5 == 3:
            self.runtime.call("venue", lambda: f"effect {message}", 0.1, self.reply_to())
        if message < 40:
            self.tell("ABCD"[message % 4], message + 1)
            self.after(0.01, message + 3)


def history(seed: int) -> str:
    """Return the digest of everything that a gossiping tree did under a seed."""
    stage = Stage(SeededRuntime(ManualClock(Instant(0)), seed))
    notes: list[str] = []
    children = tuple(Child(name=n, build=lambda context: Gossip(context, notes)) for n in "ABCD")
    root = Branch(name="root", strategy="rest_for_one", children=children, restarts_max=50)
    stage.supervise(Tree(root=root), PATIENCE)
    for number in range(4):
        stage.tell("ABCD"[number], number)
    runtime = stage.runtime
    assert isinstance(runtime, SeededRuntime)
    runtime.run_for(0.5)
    notes += [f"{event} {sorted(fields)}" for event, fields in stage.logged]
    assert len(notes) > 200
    return hashlib.sha256("\n".join(notes).encode()).hexdigest()


def test_equal_seeds_give_equal_histories() -> None:
    assert history(1) == history(1)


def test_another_seed_gives_another_history() -> None:
    assert history(1) != history(2)


def test_a_history_is_the_same_in_a_process_with_another_hash_seed() -> None:
    code = "from tests.supervisors.test_supervisor import history; print(history(1))"
    ran = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOM,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for hash_seed in ("0", "4711")
    }
    assert ran == {history(1)}


def part_states(troupe: Troupe, token: int = 1) -> dict[str, tuple[str, str, int]]:
    """Return each actor's branch, state and restarts, as the supervisor tells them."""
    troupe.stage.tell(SUPERVISOR, ReadVitals(token=token, reply_to=BOSS))
    told = [m for m in troupe.stage.told_boss() if isinstance(m, TreeRead)]
    troupe.stage.wait_for(
        lambda: any(isinstance(m, TreeRead) and m.token == token for m in troupe.stage.told_boss())
    )
    told = [m for m in troupe.stage.told_boss() if isinstance(m, TreeRead) and m.token == token]
    return {part.name: (part.branch, part.state, part.restarts) for part in told[0].parts}


def test_the_supervisor_tells_who_runs_and_how_often_each_was_restarted(troupe: Troupe) -> None:
    troupe.play(troupe.child("A"), troupe.child("B"), strategy="rest_for_one")
    assert part_states(troupe) == {"A": ("root", "running", 0), "B": ("root", "running", 0)}

    troupe.stage.tell("A", die)
    troupe.stage.wait_running("B", 2)

    assert part_states(troupe, 2) == {"A": ("root", "running", 1), "B": ("root", "running", 1)}


def test_who_was_given_up_is_told_as_abandoned(troupe: Troupe) -> None:
    patience = Patience(restarts_max=0, backoff_ms_first=1, backoff_ms_max=5)
    troupe.play(troupe.child("A"), troupe.child("B", on_exhausted="abandon"), patience=patience)
    troupe.stage.tell("B", die)
    troupe.stage.wait_for(lambda: troupe.stage.abandoned == ["B"])

    assert part_states(troupe)["B"] == ("root", "abandoned", 0)
