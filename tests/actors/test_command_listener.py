"""The listener: tells each command to whom it concerns, and each asker its own answer."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial

import msgspec
import pytest

from actors import names
from actors.command_listener import CommandListener
from aegis.domain.commands import (
    AskForHuman,
    ChangeTradingState,
    CompleteReconciliation,
    Refusal,
    ResolveOrder,
    ResolvePosition,
)
from aegis.domain.events import CheckResult, Discrepancy
from aegis.domain.ids import Generation
from aegis.domain.judgement import line_of
from aegis.domain.position import Position
from aegis.messages import (
    ControlReply,
    ControlRequest,
    DiagnoseNow,
    DiagnosisReported,
    ReadBook,
    ReconcileNow,
    ReconciliationReported,
)
from aegis.vitals import ArmingRead, ExchangeVitals, PricesRead, ReadVitals, TreeRead, VitalsDue
from tests.actors.ensemble import Ensemble
from tests.domain.kit import USDT, entry, halt
from tests.stage import BOSS, Stage

ME = names.COMMAND_LISTENER
STORE = names.POSITION_STORE

FOUND = Discrepancy(
    kind="external",
    symbol=None,
    subject="ETH",
    expected="0",
    found="3",
    action="recorded the change",
    is_healed=True,
)


class Port:
    def __init__(self) -> None:
        self.replies: list[ControlReply] = []
        self.is_open = False

    def open(self, hear: Callable[[ControlRequest], None]) -> None:
        self.is_open = True

    def answer(self, reply: ControlReply) -> None:
        self.replies.append(reply)

    def close(self) -> None:
        self.is_open = False


class Scene(Ensemble):
    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self.port = Port()
        self.exchange: ExchangeVitals | None = None
        self._tokens = 0

    def begin(self) -> None:
        self.stage.launch(
            ME,
            partial(
                CommandListener,
                port=self.port,
                quote_coin=USDT,
                exchange_vitals=lambda: self.exchange,
            ),
        )

    def say(self, command: str, *, is_dry_run: bool = False) -> int:
        self._tokens += 1
        self.tell(ME, ControlRequest(token=self._tokens, command=command, is_dry_run=is_dry_run))
        return self._tokens

    def resolve(self, word: ResolvePosition | ResolveOrder) -> int:
        self._tokens += 1
        self.tell(ME, ControlRequest(token=self._tokens, command="resolve", resolve=word))
        return self._tokens

    def reply(self, number: int = 1) -> ControlReply:
        self.stage.wait_for(lambda: len(self.port.replies) >= number)
        return self.port.replies[number - 1]

    def decide(self, number: int = 1) -> None:
        """Play the store: show the book, take the change, answer."""
        self.wait_heard(STORE, ReadBook, number)
        self.show_book(ME)
        command = self.wait_command(ChangeTradingState, number)[number - 1]
        done = self.desk.execute(command)
        if isinstance(done, Refusal):
            self.answer(ME, command, refusal=done)
        else:
            self.answer(ME, command, done)


@pytest.fixture
def scene(stage: Stage) -> Scene:
    made = Scene(stage)
    made.begin()
    return made


def test_it_listens_while_it_lives(scene: Scene) -> None:
    scene.stage.wait_for(lambda: scene.port.is_open)
    scene.settle(ME)

    scene.stage.wait_for(lambda: not scene.port.is_open)


def test_halt_and_resume_tell_the_state_before_and_after(scene: Scene) -> None:
    scene.say("halt")
    scene.decide()
    assert scene.reply() == ControlReply(
        token=1, is_done=True, text="ACTIVE -> REDUCING (halt): halted by the operator"
    )
    scene.say("resume")
    scene.decide(2)

    assert scene.reply(2).text == ("REDUCING -> ACTIVE (resume): resumed by the operator")


def test_a_resume_that_would_not_last_is_refused_without_asking_the_store(scene: Scene) -> None:
    why = "the exchange does not take the key"
    scene.exchange = ExchangeVitals(hold=why, offset_s=None, lanes=(), needs_person=why)
    scene.desk.does(halt())
    scene.say("resume")
    scene.wait_heard(STORE, ReadBook)
    scene.show_book(ME)

    assert scene.reply() == ControlReply(
        token=1, is_done=False, text=f"still REDUCING (halted: operator): {why}"
    )
    assert scene.commands(ChangeTradingState) == []


def test_a_hold_that_time_ends_refuses_no_resume(scene: Scene) -> None:
    scene.exchange = ExchangeVitals(hold="a ban", offset_s=None, lanes=())
    scene.desk.does(halt())
    scene.say("resume")
    scene.decide()

    assert scene.reply().is_done


def test_a_halt_of_what_is_halted_says_so(scene: Scene) -> None:
    for number in (1, 2):
        scene.say("halt")
        scene.decide(number)

    assert scene.reply(2).text == "REDUCING (halted by the operator) already, nothing changed"


def test_a_resume_counts_the_drawdown_from_the_equity_of_now(scene: Scene) -> None:
    scene.desk.does(halt())
    scene.say("resume")
    scene.decide()

    (command,) = scene.commands(ChangeTradingState)
    assert command.equity == Decimal(10_000)


def test_flatten_sets_the_latch(scene: Scene) -> None:
    scene.say("flatten")
    scene.decide()

    (command,) = scene.commands(ChangeTradingState)
    assert (command.cause, command.is_flattening) == ("flatten", True)


def test_a_resume_says_that_it_calls_off_a_flatten(scene: Scene) -> None:
    scene.desk.does(halt("flatten", is_flattening=True))
    scene.say("resume")
    scene.decide()

    assert "the flatten is called off" in scene.reply().text


def test_a_flatten_says_why_nothing_can_be_sent_now(scene: Scene) -> None:
    scene.exchange = ExchangeVitals(hold="the key is denied", offset_s=None, lanes=())
    scene.say("flatten")
    scene.decide()

    assert scene.reply().text.endswith("is sent when it can: the key is denied")


def test_what_holds_entries_alone_is_not_in_the_way_of_a_flatten(scene: Scene) -> None:
    why = "the canary's 3 entries are sent"
    scene.exchange = ExchangeVitals(hold=why, offset_s=None, lanes=(), is_of_entries=True)
    scene.say("flatten")
    scene.decide()

    assert scene.reply().is_done
    assert why not in scene.reply().text


def test_a_refusal_is_told_with_its_reason(scene: Scene) -> None:
    scene.desk.does(halt())
    scene.say("resume")
    scene.wait_heard(STORE, ReadBook)
    scene.show_book(ME)
    (command,) = scene.wait_command(ChangeTradingState)
    scene.answer(ME, command, refusal=Refusal(code="orphan", text="an orphan is there"))

    assert scene.reply() == ControlReply(
        token=1, is_done=False, text="still REDUCING (halted: operator): an orphan is there"
    )


@pytest.mark.parametrize("is_dry_run", [False, True])
def test_reconcile_is_told_to_the_reconciler(scene: Scene, *, is_dry_run: bool) -> None:
    scene.say("reconcile", is_dry_run=is_dry_run)
    (asked,) = scene.wait_heard(names.RECONCILER, ReconcileNow)
    assert (asked.trigger, asked.is_dry_run) == ("operator", is_dry_run)
    scene.tell(
        ME,
        ReconciliationReported(is_dry_run=is_dry_run, discrepancies=(FOUND,), token=asked.token),
    )

    heading = "nothing changed" if is_dry_run else "1 healed"
    assert scene.reply().text == (
        f"1 discrepancy, {heading}\nexternal ETH: expected 0, found 3; recorded the change"
    )


GONE = ResolvePosition(name="p-1", price=None)


@pytest.mark.parametrize(
    ("unread", "word"), [("key_denied: HTTP 401", "key_denied"), ("timed out", "unreached")]
)
@pytest.mark.parametrize("command", ["reconcile", "resolve"])
def test_who_asks_about_an_account_that_cannot_be_read_is_told_why(
    scene: Scene, command: str, unread: str, word: str
) -> None:
    token = scene.say(command) if command == "reconcile" else scene.resolve(GONE)
    scene.wait_heard(names.RECONCILER, ReconcileNow)
    report = ReconciliationReported(is_dry_run=False, discrepancies=(), token=token, unread=unread)
    scene.tell(ME, report)

    reply = scene.reply()
    assert (reply.is_done, reply.unread) == (False, word)
    assert reply.text.endswith(unread)


@pytest.mark.parametrize(
    ("command", "what"), [("reconcile", "it goes on"), ("resolve", "say it again")]
)
def test_who_waits_for_too_long_is_told_what_becomes_of_it(
    scene: Scene, command: str, what: str
) -> None:
    token = scene.say(command) if command == "reconcile" else scene.resolve(GONE)
    scene.wait_heard(names.RECONCILER, ReconcileNow)
    scene.tell(ME, VitalsDue(token=token))
    assert what in scene.reply().text

    scene.tell(ME, reported(token))
    scene.settle(ME)
    assert len(scene.port.replies) == 1
    assert scene.heard(STORE, ReadBook) == []


def test_what_a_life_was_begun_for_is_answered_though_nobody_asked_it_here(scene: Scene) -> None:
    """As an errand's: the tree begins with its question."""
    scene.tell(ME, reported(1))
    assert scene.reply().token == 1


def test_answers_find_their_askers_in_any_order(scene: Scene) -> None:
    for _ in range(3):
        scene.say("reconcile")
    asked = scene.wait_heard(names.RECONCILER, ReconcileNow, 3)
    for each in (asked[2], asked[0]):
        report = ReconciliationReported(is_dry_run=False, discrepancies=(), token=each.token)
        scene.tell(ME, report)
    scene.reply(2)

    assert [reply.token for reply in scene.port.replies] == [3, 1]


@pytest.mark.parametrize(("check", "is_done"), [("chain", False), ("stuck", True)])
def test_a_diagnosis_is_answered_with_no_when_something_critical_is_left(
    scene: Scene, check: str, *, is_done: bool
) -> None:
    scene.say("diagnose")
    (asked,) = scene.wait_heard(names.DIAGNOSTICIAN, DiagnoseNow)
    checks = (
        CheckResult(check="disk", status="ok", details=""),
        CheckResult(check=check, status="finding", details="p-1"),
    )
    scene.tell(ME, DiagnosisReported(checks=checks, token=asked.token))

    reply = scene.reply()
    assert (reply.is_done, reply.checks) == (is_done, checks)
    assert reply.text.splitlines() == [line_of(each) for each in checks]


def test_a_word_that_is_no_command_is_answered_at_once(scene: Scene) -> None:
    scene.say("withdraw")

    assert not scene.reply().is_done
    assert "was 'withdraw'" in scene.reply().text


def test_an_answer_that_comes_twice_is_given_once(scene: Scene) -> None:
    scene.say("halt")
    scene.decide()
    (command,) = scene.commands(ChangeTradingState)
    scene.answer(ME, command)
    scene.show_book(ME)
    scene.settle(ME)

    assert len(scene.port.replies) == 1


# How the process is -------------------------------------------------------------------------


def tree(token: int) -> TreeRead:
    return TreeRead(token=token, generation=Generation(1), parts=())


def prices(token: int) -> PricesRead:
    return PricesRead(token=token, prices={})


def arming(token: int) -> ArmingRead:
    return ArmingRead(token=token, is_armed=True, waits_for="")


def test_the_status_asks_those_who_know_what_the_store_does_not(scene: Scene) -> None:
    token = scene.say("status")

    for name in (BOSS, names.GUARD, names.STRATEGY):
        (asked,) = scene.wait_heard(name, ReadVitals)
        assert (asked.token, asked.reply_to) == (token, ME)


def test_the_status_is_told_as_soon_as_all_have_answered(scene: Scene) -> None:
    token = scene.say("status")
    for answer in (arming(token), tree(token)):
        scene.tell(ME, answer)
    scene.say("withdraw")
    assert scene.reply().token == 2
    scene.tell(ME, prices(token))

    vitals = scene.reply(2).vitals
    assert scene.reply(2).is_done
    assert vitals is not None
    assert (vitals.tree, vitals.prices, vitals.arming) == (
        tree(token),
        prices(token),
        arming(token),
    )


def test_the_status_has_how_the_way_to_the_exchange_is(scene: Scene) -> None:
    scene.exchange = ExchangeVitals(hold="it is banned", offset_s=0.1, lanes=())
    token = scene.say("status")
    for answer in (arming(token), tree(token), prices(token)):
        scene.tell(ME, answer)
    vitals = scene.reply().vitals
    assert vitals is not None
    assert vitals.exchange == scene.exchange


def test_who_does_not_answer_in_time_is_left_out(scene: Scene) -> None:
    token = scene.say("status")
    scene.tell(ME, tree(token))

    vitals = scene.reply().vitals
    assert vitals is not None
    assert (vitals.tree, vitals.prices, vitals.arming) == (tree(token), None, None)
    scene.tell(ME, prices(token))
    scene.tell(ME, arming(token))
    scene.settle(ME)
    assert len(scene.port.replies) == 1


def test_each_asker_of_the_status_gets_answers_to_its_own_question(scene: Scene) -> None:
    first, second = scene.say("status"), scene.say("status")
    for token in (second, first):
        for answer in (tree(token), prices(token), arming(token)):
            scene.tell(ME, answer)
    scene.reply(2)

    told = {reply.token: reply.vitals for reply in scene.port.replies}
    assert {token: vitals and vitals.tree for token, vitals in told.items()} == {
        first: tree(first),
        second: tree(second),
    }


# A word on a position -----------------------------------------------------------------------


def reported(token: int) -> ReconciliationReported:
    return ReconciliationReported(is_dry_run=False, discrepancies=(), token=token)


def test_a_word_on_a_position_waits_for_a_look_at_the_exchange(scene: Scene) -> None:
    token = scene.resolve(ResolvePosition(name="p-1", price=None))
    (asked,) = scene.wait_heard(names.RECONCILER, ReconcileNow)
    assert (asked.token, asked.reply_to, asked.is_dry_run) == (token, ME, False)
    assert scene.commands(ResolvePosition) == []

    scene.tell(ME, reported(token))
    scene.wait_heard(STORE, ReadBook)
    scene.show_book(ME)
    (command,) = scene.wait_command(ResolvePosition)
    scene.answer(ME, command, refusal=Refusal(code="unknown_position", text="no position 'p-1'"))

    assert scene.reply() == ControlReply(token=token, is_done=False, text="no position 'p-1'")


def test_a_word_on_an_order_is_taken_after_a_look_at_the_exchange(scene: Scene) -> None:
    order = scene.desk.unknown(entry("1"))
    key = order.client_order_id
    scene.desk.does(AskForHuman(client_order_id=key, reason="no barrier"))
    token = scene.resolve(ResolveOrder(client_order_id=key))
    scene.wait_heard(names.RECONCILER, ReconcileNow)
    assert scene.commands(ResolveOrder) == []

    scene.tell(ME, reported(token))
    scene.wait_heard(STORE, ReadBook)
    scene.show_book(ME)
    (command,) = scene.wait_command(ResolveOrder)
    scene.take(ME, command)
    text = f"order {key} (buy 1 BTC/USDT): NEEDS_HUMAN -> NOT_PLACED (resolve)"
    assert scene.reply() == ControlReply(token=token, is_done=True, text=text)


def test_after_a_word_on_a_position_the_books_are_compared_again(scene: Scene) -> None:
    held = scene.desk.holding("1")
    scene.desk.does(_lacking(held))
    word = ResolvePosition(name=held.position_id, price=Decimal(90))
    scene.tell(ME, reported(scene.resolve(word)))
    scene.wait_heard(STORE, ReadBook)
    scene.show_book(ME)
    (command,) = scene.wait_command(ResolvePosition)
    scene.take(ME, command)

    assert scene.reply().text == (
        f"BTC/USDT (position {held.position_id}): OPEN 1 BTC -> CLOSED, P&L -10 (resolve)"
    )
    again = scene.wait_heard(names.RECONCILER, ReconcileNow, 2)[1]
    assert (again.trigger, again.reply_to) == ("resolve", None)


def test_a_resolution_of_nothing_is_not_understood(scene: Scene) -> None:
    scene.say("resolve")
    assert not scene.reply().is_done
    assert scene.heard(names.RECONCILER, ReconcileNow) == []


def _lacking(held: Position) -> CompleteReconciliation:
    found = msgspec.structs.replace(
        FOUND,
        kind="phantom",
        symbol=held.symbol,
        is_healed=False,
        position_id=held.position_id,
        missing=held.amount,
    )
    return CompleteReconciliation(
        generation=Generation(1),
        trigger="start",
        exchange_positions=0,
        local_positions=1,
        discrepancies=(found,),
    )
