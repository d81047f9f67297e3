"""One life of the tree for one question of a person's: it is asked, answered, and over.

The tree starts without Strategy. On paper it lives at the last stored instant, and the market
stands still there; where an exchange is asked it lives in real time, and speaks with it.
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
from aegis.domain.first_look import DOUBTED
from aegis.domain.ids import PositionId
from aegis.domain.order import OrderState
from aegis.domain.unsold import told_unsold
from aegis.messages import ControlReply, ControlRequest
from aegis.ports import Log, Messenger
from aegis.store.reading import StoreStatus, View, read_status
from supervisors.paces import Pace, RealPace, StillPace
from supervisors.quick import INCARNATION_DIGITS
from supervisors.system import System
from supervisors.tree import TRADING, Errand

RECONCILING, FLATTENING = 1, 2
"""Tokens of the two questions that an errand may ask."""

LEFT_LATER = "it is left when AEGIS runs; or say flatten again"

LOST = (OrderState.SUBMITTING, OrderState.UNKNOWN)


class Bag(msgspec.Struct, frozen=True, kw_only=True):
    """What an errand takes along. Its notices wait in the outbox for who runs next."""

    config: Config
    folder: Path
    log: Log
    messengers: tuple[Messenger, ...]
    ask: Ask


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
    """One life of the tree, for one question."""

    def __init__(self, bag: Bag) -> None:
        self._config, self._ask, self._log = bag.config, bag.ask, bag.log
        self._port = _Port()
        self._is_flat = False
        self._seen: StoreStatus | None = None  # as of an event
        self._seen_until = -1
        self._pace: Pace = (
            RealPace(bag.log)
            if is_at_exchange(bag.config, bag.ask)
            else StillPace(bag.config.market.seed)
        )
        self._system = System(
            bag.config,
            folder=bag.folder,
            runtime_of=self._pace.runtime_at,
            log=self._hear_log,
            control=self._port,
            messengers=bag.messengers,
            draw_incarnation=lambda: draw_hex(INCARNATION_DIGITS),
            errand=errand_of(bag.ask),
        )

    def done(self) -> Answer:
        """Go out, come back, and return the answer."""
        system = self._system
        system.start(seed=self._config.market.seed)
        try:
            return self._answered()
        finally:
            system.stop()
            self._run_while(system.verdicts.empty)
            system.close()

    def _answered(self) -> Answer:
        reply = self._reply_to(RECONCILING)
        if self._ask.command == "reconcile":
            self._run_while(self._is_any_lost)
        if reply is None or self._ask.command != "flatten":
            return self._told(reply)
        assert self._port.hear is not None, "Expected a listener, it has answered"
        self._port.hear(ControlRequest(token=FLATTENING, command="flatten"))
        reply = self._reply_to(FLATTENING)
        if reply is None or not reply.is_done:
            return self._told(reply)
        tried = {each.position_id: each.tries for each in self._status().unsold}
        self._run_while(lambda: not self._is_flat and not self._is_all_stuck(tried))
        left = self._left_open()
        lines = [reply.text, *(left or [self._status().account.reason])]
        return Answer(is_done=not left, text="\n".join(lines))

    def _is_any_lost(self) -> bool:
        """Say whether the outcome of an order is unknown still, and may be known soon."""
        return any(order["state"] in LOST for order in self._status().orders)

    def _is_all_stuck(self, tried: Mapping[PositionId, int]) -> bool:
        """Say whether nothing is left but what waits for a person, or is traded no more.

        An exit that was refused before it was `tried` again says nothing of today.
        """
        status = self._status()
        untraded = {
            each.position_id
            for each in status.unsold
            if each.is_untraded and each.tries > tried.get(each.position_id, 0)
        }
        return bool(status.positions) and all(
            self._is_doubted(each) or each["position_id"] in untraded for each in status.positions
        )

    def _is_doubted(self, position: View) -> bool:
        return self._status().account.is_doubted(PositionId(str(position["position_id"])))

    def _left_open(self) -> list[str]:
        return [
            f"still open: {position['symbol']} {position['amount']} "
            f"(position {position['position_id']}, {position['status']}); {self._why(position)}"
            for position in self._status().positions
        ]

    def _why(self, position: View) -> str:
        """Return what keeps a position from being left."""
        if self._is_doubted(position):
            return DOUBTED
        name = position["position_id"]
        unsold = (each for each in self._status().unsold if each.position_id == name)
        return next(map(told_unsold, unsold), LEFT_LATER)

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
        with suppress(Empty):
            verdict = self._system.verdicts.get_nowait()
            self._system.verdicts.put(verdict)
            return Answer(is_done=False, text=f"AEGIS ended before it was done: {verdict.reason}")
        return Answer(is_done=False, text=f"not done within {self._pace.limit_s:g} s")

    def _run_while(self, is_wanted: Callable[[], bool]) -> None:
        """Let everybody work while something is wanted, to the tree's end at the latest."""
        self._pace.run_while(lambda: is_wanted() and self._system.verdicts.empty())

    def _hear_log(self, event: str, /, **fields: object) -> None:
        if event == "TradingStateChanged" and fields.get("cause") == "flatten":
            self._is_flat = fields.get("is_flattening") is False
        self._log(event, **fields)


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
