"""One life of the tree for one question of a person's: it is asked, answered, and over.

The tree starts without Strategy. On paper it lives at the last stored instant, and the market
stands still there; where an exchange is asked it lives in real time, and speaks with it.

Invariant: a flatten is in the books before anybody lives who could ask, and is over in them alone.
Guard leaves then as it does for an AEGIS that runs: by the same rules, within the same bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from queue import Empty

import msgspec

from actors import names
from aegis.clock import draw_hex
from aegis.config.model import Config
from aegis.control import Answer, Ask
from aegis.domain.answers import change_for, told_change
from aegis.domain.commands import Refusal
from aegis.domain.events import name_of
from aegis.domain.first_look import FRESH
from aegis.domain.ids import PositionId
from aegis.domain.narrate import describe
from aegis.domain.order import OrderState
from aegis.messages import ControlReply, ControlRequest
from aegis.ports import Log, Messenger
from aegis.store.reading import StoreStatus, read_status
from supervisors.paces import Pace, RealPace, StillPace
from supervisors.quick import INCARNATION_DIGITS
from supervisors.still_open import LEFT_LATER, still_open
from supervisors.system import System
from supervisors.tree import TRADING, Errand

RECONCILING = 1
"""The token of the comparison that an errand begins with."""

OPERATOR = "operator"
"""Who the log says that a person's word came by."""

LOST = (OrderState.SUBMITTING, OrderState.UNKNOWN)


def _nothing() -> None:
    """Nobody wants to hear of it."""


class Bag(msgspec.Struct, frozen=True, kw_only=True):
    """What an errand takes along. Its notices wait in the outbox for who runs next.

    `on_selling` is called once a flatten is in the books, and what is held is going to be sold.
    """

    config: Config
    folder: Path
    log: Log
    messengers: tuple[Messenger, ...]
    ask: Ask
    on_selling: Callable[[], None] = _nothing


def is_at_exchange(config: Config, ask: Ask) -> bool:
    """Say whether an errand asks a real exchange: for the account, or for prices to sell at."""
    is_priced = config.market.source == "exchange" and ask.command == "flatten"
    return config.mode == "live" or is_priced


class _Port:
    """The control port of an errand: it asks once, and keeps what it is told."""

    def __init__(self) -> None:
        self.hear: Callable[[ControlRequest], None] | None = None
        self.replies: dict[int, ControlReply] = {}

    def open(self, hear: Callable[[ControlRequest], None]) -> None:
        self.hear = hear

    def answer(self, reply: ControlReply) -> None:
        self.replies[reply.token] = reply

    def close(self) -> None:
        self.hear = None


class Outing:
    """One life of the tree, for one question; `make_system` composes it."""

    def __init__(
        self, bag: Bag, *, pace: Pace | None = None, make_system: Callable[..., System] = System
    ) -> None:
        self._config, self._ask, self._log = bag.config, bag.ask, bag.log
        self._on_selling = bag.on_selling
        self._port = _Port()
        self._seen: StoreStatus | None = None  # as of an event
        self._seen_until = -1
        self._pace = pace or pace_of(bag)
        self._system = make_system(
            bag.config,
            folder=bag.folder,
            runtime_of=self._pace.runtime_at,
            log=bag.log,
            control=self._port,
            messengers=bag.messengers,
            draw_incarnation=lambda: draw_hex(INCARNATION_DIGITS),
            errand=errand_of(bag.ask),
        )

    def done(self) -> Answer:
        """Go out, come back, and return the answer."""
        system = self._system
        latched = self._latched() if self._ask.command == "flatten" else None
        if latched is not None and not latched.is_done:
            system.close()
            return latched
        system.start(seed=self._config.market.seed)
        try:
            return self._answered() if latched is None else self._left(latched.text)
        finally:
            system.stop()
            self._run_while(system.verdicts.empty)
            system.close()

    def _answered(self) -> Answer:
        reply = self._reply_to(RECONCILING)
        if self._ask.command == "reconcile":
            self._run_while(self._is_any_lost)
        return self._told(reply)

    # Flatten ----------------------------------------------------------------------------------

    def _latched(self) -> Answer:
        """Write down that all is to be left, before anything is asked of the exchange."""
        system, word = self._system, self._ask.command
        before = system.book().account
        command = change_for(word, system.book(), self._config.exchange.quote)
        done = system.execute_first(command, by=OPERATOR)
        if isinstance(done, Refusal):
            is_done, text = told_change(word, before, (), done)
            return Answer(is_done=is_done, text=text)
        for recorded in done:
            level, fields = describe(recorded)
            self._log(name_of(recorded.event), level=level, **fields)
        self._on_selling()
        is_done, text = told_change(word, before, done, None)
        return Answer(is_done=is_done, text=text)

    def _left(self, text: str) -> Answer:
        """Let Guard leave until all is left, or as long as there is any hope."""
        tried = {each.position_id: each.tries for each in self._status().unsold}
        self._run_while(lambda: self._status().account.is_flattening and not self._is_stuck(tried))
        status, hold = self._status(), self._hold()
        left = still_open(status, is_compared=self._is_compared(), hold=hold)
        lines = [text, *left, LEFT_LATER] if left else [text, status.account.reason]
        if not left and not self._is_compared():
            lines.append(f"{FRESH}{'' if hold is None else f': {hold}'}")
        if (verdict := self._verdict()) is not None:
            lines.append(verdict)
        return Answer(is_done=not left and verdict is None, text="\n".join(lines))

    def _is_compared(self) -> bool:
        return RECONCILING in self._port.replies

    def _hold(self) -> str | None:
        """Return what keeps the exchange out of reach now, where it is a real one."""
        vitals = self._system.desk.exchange.vitals()
        if vitals is None or vitals.exits_wait is not None:
            return None if vitals is None else vitals.exits_wait
        return None if vitals.is_of_entries else vitals.hold

    def _is_any_lost(self) -> bool:
        """Say whether the outcome of an order is unknown still, and may be known soon."""
        return any(order["state"] in LOST for order in self._status().orders)

    def _is_stuck(self, tried: Mapping[PositionId, int]) -> bool:
        """Say whether nothing is left but what waits for a person, or is traded no more.

        An exit that was refused before it was `tried` again says nothing of today, nor does a
        doubt before the account was looked at.
        """
        status = self._status()
        hopeless = {
            each.position_id
            for each in status.unsold
            if (each.is_untraded or each.is_denied) and each.tries > tried.get(each.position_id, 0)
        }
        names = [PositionId(str(each["position_id"])) for each in status.positions]
        is_compared = self._is_compared()
        return bool(names) and all(
            name in hopeless or (is_compared and status.account.is_doubted(name)) for name in names
        )

    def _status(self) -> StoreStatus:
        """Return what the store holds, read again when something was written: by any thread."""
        last_event_id = self._system.last_event_id
        if self._seen is None or last_event_id != self._seen_until:
            self._seen_until, self._seen = last_event_id, read_status(self._config.store.path)
        return self._seen

    def _reply_to(self, token: int) -> ControlReply | None:
        self._run_while(lambda: token not in self._port.replies)
        return self._port.replies.get(token)

    def _told(self, reply: ControlReply | None) -> Answer:
        if reply is not None:
            return Answer(is_done=reply.is_done, text=reply.text, checks=reply.checks)
        text = self._verdict() or f"not done within {self._pace.limit_s:g} s"
        return Answer(is_done=False, text=text)

    def _verdict(self) -> str | None:
        """Return how the tree has ended by itself, or None."""
        with suppress(Empty):
            verdict = self._system.verdicts.get_nowait()
            self._system.verdicts.put(verdict)
            return f"AEGIS ended before it was done: {verdict.reason}"
        return None

    def _run_while(self, is_wanted: Callable[[], bool]) -> None:
        """Let everybody work while something is wanted, to the tree's end at the latest."""
        self._pace.run_while(lambda: is_wanted() and self._system.verdicts.empty())


def pace_of(bag: Bag) -> Pace:
    """Return how time passes while an errand is done."""
    if is_at_exchange(bag.config, bag.ask):
        return RealPace(bag.log)
    return StillPace(bag.config.market.seed)


def errand_of(ask: Ask) -> Errand:
    """Return how the tree begins: with the question that was asked, where it is about that.

    Who asks wants to be told; only a flatten is to sell.
    """
    is_trading = ask.command == "flatten" and not ask.is_dry_run
    reconcile, diagnose = TRADING.reconcile, TRADING.diagnose
    asked = {"is_dry_run": ask.is_dry_run, "reply_to": names.COMMAND_LISTENER, "token": RECONCILING}
    if ask.command == "diagnose":
        diagnose = msgspec.structs.replace(diagnose, **asked)
    else:
        reconcile = msgspec.structs.replace(reconcile, **asked)
    return Errand(reconcile=reconcile, diagnose=diagnose, is_trading=is_trading)
