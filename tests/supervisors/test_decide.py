from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.base import Actor, Died, Started, StartFailed, Stopped
from supervisors.decide import decide
from supervisors.spec import Branch, Child, OnExhausted, Patience, Strategy, Tree
from supervisors.words import (
    Abandon,
    Action,
    Boot,
    CancelTimer,
    EmptyInbox,
    Fence,
    GiveUp,
    Input,
    Phase,
    Report,
    RestartDue,
    SetTimer,
    Silent,
    StartChild,
    StartDeadlinePassed,
    StopChild,
    StopDeadlinePassed,
    StoppedAll,
    StopWanted,
    first_state,
)

PATIENCE = Patience(restarts_max=3, window_s=10.0, stop_deadline_s=1.0)


def leaf(name: str, on_exhausted: OnExhausted = "escalate", **fields: Any) -> Child:
    return Child(name=name, build=Actor, on_exhausted=on_exhausted, **fields)


def branch(name: str, strategy: Strategy, *children: Child | Branch, **fields: Any) -> Branch:
    return Branch(name=name, strategy=strategy, children=children, **fields)


HOUSE = Tree(
    root=branch(
        "root", "one_for_one",
        branch(
            "trading", "rest_for_one",
            leaf("Store", keeps_inbox=True), leaf("Gateway"), leaf("Reconciler"),
            leaf("Guard"), leaf("Strategy", "abandon"),
        ),
        branch("watch", "one_for_one", leaf("Feed"), leaf("Notifier")),
    ),
    generation_owner="Reconciler",
)  # fmt: skip
TRADING = ["Store", "Gateway", "Reconciler", "Guard", "Strategy"]
WATCH = ["Feed", "Notifier"]


class Play:
    """A tree played by hand: the inputs that one gives, the actions that come of them."""

    def __init__(self, tree: Tree = HOUSE, patience: Patience = PATIENCE) -> None:
        self.state = first_state(tree, patience, seed=1)
        self.now = 100.0
        self.actions: list[Action] = []

    def hear(self, *inputs: Input) -> list[Action]:
        """Return the actions of these inputs alone."""
        begin = len(self.actions)
        for received in inputs:
            self.state, actions = decide(self.state, received, self.now)
            self.actions += actions
        return self.actions[begin:]

    def epoch(self, name: str) -> int:
        return self.state.leaves[name].epoch

    def phase(self, name: str) -> Phase:
        return self.state.leaves[name].phase

    def up(self) -> Play:
        """Boot, and let each start succeed."""
        self.hear(Boot())
        self.settle()
        self.actions.clear()
        return self

    def settle(self) -> list[str]:
        """End all back-offs and let all starts succeed; return who was started, in order."""
        started = []
        while True:
            starting = self.of(Phase.STARTING)
            waiting = self.of(Phase.WAITING)
            if starting:
                started.append(starting[0])
                self.hear(Started(name=starting[0], epoch=self.epoch(starting[0])))
            elif waiting:
                self.hear(RestartDue(waiting[0], self.epoch(waiting[0])))
            else:
                return started

    def of(self, phase: Phase) -> list[str]:
        return [name for name, leaf in self.state.leaves.items() if leaf.phase is phase]

    def die(self, name: str) -> list[Action]:
        return self.hear(Died(name=name, epoch=self.epoch(name), error="bad turn"))

    def stopped(self, name: str) -> list[Action]:
        return self.hear(Stopped(name=name, epoch=self.epoch(name)))


def started_by(actions: list[Action]) -> list[str]:
    return [action.name for action in actions if isinstance(action, StartChild)]


def fenced_by(actions: list[Action]) -> list[str]:
    return [action.name for action in actions if isinstance(action, Fence)]


def delays_of(actions: list[Action]) -> list[float]:
    return [
        action.delay_s
        for action in actions
        if isinstance(action, SetTimer) and isinstance(action.token, RestartDue)
    ]


def events_of(actions: list[Action]) -> list[str]:
    return [action.event for action in actions if isinstance(action, Report)]


# Starting ---------------------------------------------------------------------------------


def test_children_start_in_the_trees_order_one_after_another() -> None:
    play = Play()
    assert started_by(play.hear(Boot())) == ["Store"]
    assert play.settle() == TRADING + WATCH


def test_the_next_start_waits_for_the_one_before() -> None:
    play = Play()
    play.hear(Boot())
    assert started_by(play.hear(Started(name="Store", epoch=1))) == ["Gateway"]
    assert play.phase("Reconciler") is Phase.DUE


def test_a_second_boot_changes_nothing() -> None:
    assert Play().up().hear(Boot()) == []


def test_no_inbox_is_emptied_at_a_first_start() -> None:
    play = Play()
    play.hear(Boot())
    play.settle()
    assert not any(isinstance(action, EmptyInbox) for action in play.actions)


def test_a_start_has_a_deadline_which_ends_with_it() -> None:
    play = Play()
    token = StartDeadlinePassed("Store", 1)
    assert SetTimer(token, 30.0) in play.hear(Boot())
    assert CancelTimer(token) in play.hear(Started(name="Store", epoch=1))


@pytest.mark.parametrize(
    "failure",
    [
        StartFailed(name="Store", epoch=1, error="no disk"),
        StartDeadlinePassed("Store", 1),
        Died(name="Store", epoch=1, error="bad turn"),
        Stopped(name="Store", epoch=1),
    ],
)
def test_a_start_that_fails_in_any_way_is_tried_again(failure: Input) -> None:
    play = Play()
    play.hear(Boot())
    actions = play.hear(failure)
    assert fenced_by(actions) == ["Store"]
    assert len(delays_of(actions)) == 1
    assert play.settle() == TRADING + WATCH
    assert play.epoch("Store") == 2


def test_a_death_during_boot_does_not_let_the_later_ones_start_before() -> None:
    play = Play()
    play.hear(Boot(), Started(name="Store", epoch=1), Started(name="Gateway", epoch=1))
    assert fenced_by(play.die("Store")) == ["Reconciler", "Gateway", "Store"]
    assert play.settle() == TRADING + WATCH


def test_a_death_beside_a_boot_does_not_hold_it_up() -> None:
    play = Play()
    play.hear(Boot())
    for name in TRADING:
        play.hear(Started(name=name, epoch=1))
    play.die("Store")
    assert started_by(play.hear(Started(name="Feed", epoch=1))) == ["Notifier"]


# Restarting -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("died", "fenced", "restarted"),
    [
        ("Store", TRADING[::-1], TRADING),
        ("Gateway", TRADING[:0:-1], TRADING[1:]),
        ("Reconciler", TRADING[:1:-1], TRADING[2:]),
        ("Guard", TRADING[:2:-1], TRADING[3:]),
        ("Strategy", ["Strategy"], ["Strategy"]),
        ("Feed", ["Feed"], ["Feed"]),
        ("Notifier", ["Notifier"], ["Notifier"]),
    ],
)
def test_who_goes_down_with_whom_and_comes_up_in_which_order(
    died: str, fenced: list[str], restarted: list[str]
) -> None:
    play = Play().up()
    assert fenced_by(play.die(died)) == fenced
    assert play.settle() == restarted


@pytest.mark.parametrize("first", TRADING)
@pytest.mark.parametrize("second", TRADING)
@pytest.mark.parametrize("is_restarting", [False, True])
def test_two_deaths_end_in_everybody_running_in_order(
    first: str, second: str, *, is_restarting: bool
) -> None:
    play = Play().up()
    play.die(first)
    if is_restarting:
        play.hear(RestartDue(first, play.epoch(first)))
    if play.phase(second) in (Phase.RUNNING, Phase.STARTING):
        play.die(second)
    order = play.settle()
    assert play.of(Phase.RUNNING) == TRADING + WATCH
    assert order == TRADING[min(TRADING.index(first), TRADING.index(second)) :]


def test_children_of_one_for_one_restart_without_waiting_for_each_other() -> None:
    play = Play().up()
    play.die("Store")
    play.die("Feed")
    play.die("Notifier")
    assert started_by(play.hear(RestartDue("Notifier", 1))) == ["Notifier"]


def test_a_later_sibling_waits_for_the_failed_ones_start_not_only_its_back_off() -> None:
    play = Play().up()
    play.die("Guard")
    assert started_by(play.hear(RestartDue("Guard", 1))) == ["Guard"]
    assert started_by(play.hear(Started(name="Guard", epoch=2))) == ["Strategy"]


def test_every_inbox_but_the_kept_one_is_emptied_before_a_restart() -> None:
    play = Play().up()
    play.die("Store")
    play.settle()
    emptied = [action.name for action in play.actions if isinstance(action, EmptyInbox)]
    assert emptied == TRADING[1:]
    assert play.actions.index(EmptyInbox("Guard")) < play.actions.index(
        next(a for a in play.actions if isinstance(a, StartChild) and a.name == "Guard")
    )


def test_a_silent_child_is_fenced_and_replaced() -> None:
    play = Play().up()
    actions = play.hear(Silent("Feed", 1, 31.0))
    assert fenced_by(actions) == ["Feed"]
    assert events_of(actions) == ["ActorSilent", "ActorRestarting"]
    assert play.settle() == ["Feed"]


@pytest.mark.parametrize(
    "received",
    [
        Started(name="Feed", epoch=1),
        StartFailed(name="Feed", epoch=1, error=""),
        Died(name="Feed", epoch=1, error=""),
        Stopped(name="Feed", epoch=1),
        Silent("Feed", 1, 99.0),
        RestartDue("Feed", 1),
        StartDeadlinePassed("Feed", 1),
        StopDeadlinePassed("Feed", 1),
    ],
)
def test_what_an_old_epoch_says_changes_nothing(received: Input) -> None:
    play = Play().up()
    play.die("Feed")
    play.settle()
    before = play.state
    assert play.hear(received) == []
    assert play.state == before


def test_the_back_off_doubles_and_is_spread() -> None:
    patience = Patience(restarts_max=20, window_s=60, backoff_ms_first=10, backoff_ms_max=1000)
    play = Play(patience=patience).up()
    delays = []
    for _ in range(12):
        delays += delays_of(play.die("Feed"))
        play.settle()
    for count, delay_s in enumerate(delays):
        middle_s = 0.010 * 2**count
        assert min(0.75 * middle_s, 1) <= delay_s <= min(1.25 * middle_s, 1)
    assert len({delay / 2**count for count, delay in enumerate(delays[:6])}) == 6


def test_a_back_off_begins_anew_when_the_window_has_passed() -> None:
    play = Play().up()
    play.die("Feed")
    play.settle()
    play.now += PATIENCE.window_s + 1
    (delay_s,) = delays_of(play.die("Feed"))
    assert delay_s < 0.0126


def test_equal_seeds_give_equal_back_offs() -> None:
    assert delays_of(Play().up().die("Feed")) == delays_of(Play().up().die("Feed"))


# Generations ------------------------------------------------------------------------------


def generations_by(actions: list[Action]) -> dict[str, int]:
    return {action.name: action.generation for action in actions if isinstance(action, StartChild)}


def test_who_starts_after_the_owner_is_of_its_generation() -> None:
    play = Play()
    play.hear(Boot())
    play.settle()
    assert generations_by(play.actions) == {
        "Store": 0, "Gateway": 0, "Reconciler": 1, "Guard": 1, "Strategy": 1,
        "Feed": 1, "Notifier": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("died", "generation"),
    [("Store", 2), ("Gateway", 2), ("Reconciler", 2), ("Guard", 1), ("Feed", 1)],
)
def test_each_start_of_the_owner_begins_a_generation(died: str, generation: int) -> None:
    play = Play().up()
    play.die(died)
    play.settle()
    assert play.state.generation == generation


# Patience at its end ----------------------------------------------------------------------


def kill(play: Play, name: str, times: int) -> list[Action]:
    actions: list[Action] = []
    for _ in range(times):
        play.settle()
        actions = play.die(name)
    return actions


def test_as_many_restarts_as_allowed_stay_within_the_branch() -> None:
    play = Play().up()
    kill(play, "Guard", 3)
    assert play.settle() == ["Guard", "Strategy"]


def test_one_death_more_restarts_the_whole_branch() -> None:
    play = Play().up()
    actions = kill(play, "Guard", 4)
    assert fenced_by(actions) == TRADING[::-1]
    assert play.settle() == TRADING


def test_deaths_of_siblings_are_counted_together() -> None:
    play = Play().up()
    for name in ("Guard", "Gateway", "Store"):
        kill(play, name, 1)
    assert fenced_by(kill(play, "Guard", 1)) == TRADING[::-1]


def test_deaths_that_are_long_past_are_not_counted() -> None:
    play = Play().up()
    for _ in range(20):
        play.now += PATIENCE.window_s / 3 + 0.1
        assert "Store" not in fenced_by(kill(play, "Guard", 1))


def test_a_restarted_branch_has_all_its_patience_again() -> None:
    play = Play().up()
    kill(play, "Guard", 4)
    play.settle()
    assert "Store" not in fenced_by(kill(play, "Guard", 3))


def test_a_root_at_the_end_of_its_patience_gives_up() -> None:
    play = Play().up()
    actions = kill(play, "Feed", 16)
    assert isinstance(actions[-1], GiveUp)
    assert actions[-1].reason.startswith("root: 4 failures within 10.0 s, the last: watch: ")
    assert actions[-1].reason.endswith("bad turn")
    assert fenced_by(actions) == (TRADING + WATCH)[::-1]
    assert "SupervisorGaveUp" in events_of(actions)


def test_a_tree_that_has_given_up_hears_nothing_more() -> None:
    play = Play().up()
    kill(play, "Feed", 16)
    assert play.hear(Boot(), StopWanted(), Died(name="Store", epoch=1, error="")) == []


def test_an_escalated_branch_starts_in_order_again() -> None:
    play = Play().up()
    kill(play, "Feed", 4)
    assert started_by(play.hear(RestartDue("Feed", play.epoch("Feed")))) == ["Feed"]
    assert play.phase("Notifier") is Phase.DUE


def test_an_escalated_branch_leaves_its_neighbour_alone() -> None:
    play = Play().up()
    actions = kill(play, "Feed", 4)
    assert fenced_by(actions) == ["Notifier", "Feed"]
    assert play.settle() == WATCH


def test_a_neighbour_may_restart_while_a_branch_is_restarting() -> None:
    play = Play().up()
    kill(play, "Guard", 4)
    play.die("Feed")
    assert started_by(play.hear(RestartDue("Feed", 1))) == ["Feed"]


def test_a_child_that_may_be_abandoned_is_left_stopped_and_the_rest_works_on() -> None:
    play = Play().up()
    actions = kill(play, "Strategy", 4)
    assert fenced_by(actions) == ["Strategy"]
    (abandoned,) = [action for action in actions if isinstance(action, Abandon)]
    assert abandoned.name == "Strategy"
    assert events_of(actions) == ["ActorAbandoned"]
    assert play.of(Phase.RUNNING) == TRADING[:-1] + WATCH
    assert play.settle() == []


def test_an_abandoned_child_stays_stopped_when_its_elders_restart() -> None:
    play = Play().up()
    kill(play, "Strategy", 4)
    play.die("Gateway")
    assert play.settle() == ["Gateway", "Reconciler", "Guard"]


def test_deaths_of_a_child_that_may_be_abandoned_are_on_its_own_account() -> None:
    play = Play().up()
    kill(play, "Strategy", 3)
    play.settle()
    kill(play, "Guard", 3)
    assert play.settle() == ["Guard", "Strategy"]


def test_a_start_that_keeps_failing_is_abandoned_and_boot_goes_on() -> None:
    play = Play()
    play.hear(Boot())
    for name in TRADING[:-1]:
        play.hear(Started(name=name, epoch=1))
    for epoch in range(1, 5):
        play.hear(StartFailed(name="Strategy", epoch=epoch, error="bad params"))
        play.hear(RestartDue("Strategy", epoch))
    assert play.phase("Strategy") is Phase.ABANDONED
    assert play.settle() == WATCH


def test_a_branchs_own_limits_go_before_those_of_patience() -> None:
    tree = Tree(root=branch("root", "one_for_one", leaf("A"), restarts_max=0))
    play = Play(tree).up()
    assert isinstance(play.die("A")[-1], GiveUp)


def test_under_rest_for_one_a_failed_branch_takes_later_branches_along() -> None:
    tree = Tree(
        root=branch(
            "root", "rest_for_one",
            branch("one", "one_for_one", leaf("A"), leaf("B"), restarts_max=0),
            branch("two", "one_for_one", leaf("C")),
        )
    )  # fmt: skip
    play = Play(tree).up()
    assert fenced_by(play.die("A")) == ["C", "B", "A"]
    assert play.settle() == ["A", "B", "C"]


# Stopping ---------------------------------------------------------------------------------


def test_children_stop_in_reverse_one_after_another() -> None:
    play = Play().up()
    order = []
    actions = play.hear(StopWanted())
    while isinstance(actions[-1], SetTimer):
        (stop,) = [action for action in actions if isinstance(action, StopChild)]
        order.append(stop.name)
        actions = play.stopped(stop.name)
    assert order == (TRADING + WATCH)[::-1]
    assert actions[-1] == StoppedAll(())


def test_a_tree_that_never_began_has_stopped_at_once() -> None:
    assert Play().hear(StopWanted()) == [StoppedAll(())]


def test_a_stop_gets_in_while_a_child_waits_for_its_restart() -> None:
    play = Play().up()
    play.die("Store")
    actions = play.hear(StopWanted())
    assert [action.name for action in actions if isinstance(action, StopChild)] == ["Notifier"]
    assert play.hear(RestartDue("Store", 1)) == []


def test_a_stop_gets_in_while_a_child_starts() -> None:
    play = Play()
    play.hear(Boot())
    assert StopChild("Store", 1) in play.hear(StopWanted())
    play.hear(Started(name="Store", epoch=1))
    assert play.stopped("Store")[-1] == StoppedAll(())


def test_nothing_is_restarted_while_stopping() -> None:
    play = Play().up()
    play.hear(StopWanted())
    assert started_by(play.die("Store") + play.hear(RestartDue("Store", 1))) == []


def test_a_child_that_dies_of_its_stop_has_stopped() -> None:
    play = Play().up()
    play.hear(StopWanted())
    assert StopChild("Feed", 1) in play.die("Notifier")


def test_a_hung_child_is_fenced_and_the_stop_goes_on() -> None:
    play = Play().up()
    play.hear(StopWanted())
    actions = play.hear(StopDeadlinePassed("Notifier", 1))
    assert fenced_by(actions) == ["Notifier"]
    assert StopChild("Feed", 1) in actions


def test_a_stop_of_hung_children_alone_ends_within_its_deadline() -> None:
    play = Play().up()
    begin = play.now
    actions = play.hear(StopWanted())
    while not isinstance(actions[-1], StoppedAll):
        timer = actions[-1]
        assert isinstance(timer, SetTimer)
        play.now += timer.delay_s
        actions = play.hear(timer.token)
    assert play.now - begin == pytest.approx(PATIENCE.stop_deadline_s)
    assert actions[-1] == StoppedAll(tuple((TRADING + WATCH)[::-1]))


def test_a_second_wish_to_stop_changes_nothing() -> None:
    play = Play().up()
    play.hear(StopWanted())
    assert play.hear(StopWanted()) == []


# Any history ------------------------------------------------------------------------------

WORDS = st.sampled_from(["die", "start", "due", "silent", "deadline", "wait", "old"])


@given(st.lists(st.tuples(WORDS, st.sampled_from(TRADING + WATCH)), max_size=60))
def test_whatever_happens_the_promises_of_the_tree_hold(words: list[tuple[str, str]]) -> None:
    play = Play()
    play.hear(Boot())
    for word, name in words:
        epoch = play.epoch(name)
        inputs: dict[str, Input] = {
            "die": Died(name=name, epoch=epoch, error="x"),
            "start": Started(name=name, epoch=epoch),
            "due": RestartDue(name, epoch),
            "silent": Silent(name, epoch, 31.0),
            "deadline": StartDeadlinePassed(name, epoch),
            "old": Died(name=name, epoch=epoch - 1, error="x"),
        }
        if word == "wait":
            play.now += 4.0
            continue
        play.hear(inputs[word])
        check_promises(play)
    if any(isinstance(action, GiveUp) for action in play.actions):
        return
    play.settle()
    assert set(play.of(Phase.RUNNING) + play.of(Phase.ABANDONED)) == set(TRADING + WATCH)


def check_promises(play: Play) -> None:
    trading = [play.phase(name) for name in TRADING]
    up = (Phase.RUNNING, Phase.ABANDONED)
    for index, phase in enumerate(trading):
        if phase in (Phase.STARTING, Phase.RUNNING):
            assert all(earlier in up for earlier in trading[:index]), trading
    epochs = [(action.name, action.epoch) for action in play.actions
              if isinstance(action, StartChild)]  # fmt: skip
    assert len(set(epochs)) == len(epochs)
    lives: dict[str, int] = {}
    for action in play.actions:
        if isinstance(action, StartChild):
            assert lives.get(action.name, 0) == 0, "started beside a living incarnation"
            lives[action.name] = 1
        elif isinstance(action, Fence):
            lives[action.name] = 0


# A tree that should never begin -----------------------------------------------------------


@pytest.mark.parametrize(
    ("root", "fault"),
    [
        (branch("root", "one_for_one"), "Expected children in 'root', was none"),
        (branch("root", "one_for_one", leaf("A"), leaf("A")), "'A' comes 2 times"),
        (branch("root", "one_for_one", leaf("root")), "'root' comes 2 times"),
        (branch("root", "one_for_one", leaf("")), "Expected a name"),
        (branch("root", "all_for_one", leaf("A")), "was 'all_for_one'"),  # type: ignore[arg-type]
        (branch("root", "one_for_one", leaf("A"), window_s=0), "root.window_s"),
        (branch("root", "one_for_one", leaf("A"), restarts_max=-1), "root.restarts_max"),
        (branch("root", "one_for_one", leaf("A", silent_after_s=0)), "A.silent_after_s"),
        (
            branch("root", "one_for_one", leaf("A", start_deadline_s=float("inf"))),
            "A.start_deadline_s",
        ),
        (branch("root", "one_for_one", leaf("A", "panic")), "was 'panic'"),  # type: ignore[arg-type]
    ],
)
def test_a_faulty_tree_is_refused_with_what_is_wrong(root: Branch, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        first_state(Tree(root=root), PATIENCE, seed=1)


@pytest.mark.parametrize(
    ("patience", "fault"),
    [
        (Patience(restarts_max=-1), "patience.restarts_max"),
        (Patience(window_s=0), "patience.window_s"),
        (Patience(backoff_ms_first=0), "patience.backoff_ms_first"),
        (Patience(backoff_ms_first=10, backoff_ms_max=9), "patience.backoff_ms_max"),
        (Patience(stop_deadline_s=float("nan")), "patience.stop_deadline_s"),
    ],
)
def test_faulty_patience_is_refused_with_what_is_wrong(patience: Patience, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        first_state(HOUSE, patience, seed=1)


def test_a_generations_owner_that_nobody_is_is_refused() -> None:
    with pytest.raises(ValueError, match="owner among the children, was 'Reconciler'"):
        first_state(
            Tree(root=branch("root", "one_for_one", leaf("A")), generation_owner="Reconciler"),
            PATIENCE,
            seed=1,
        )


def test_all_faults_are_told_at_once() -> None:
    root = branch("root", "one_for_one", leaf("A", silent_after_s=0, start_deadline_s=0))
    with pytest.raises(ValueError, match=r"A\.silent_after_s.*; .*A\.start_deadline_s"):
        first_state(Tree(root=root), PATIENCE, seed=1)
