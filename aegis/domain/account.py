"""What belongs to the whole account: trading state, expected balances, the day, dust.

Invariant: `balances` = balances at the start + what was seen to change from outside
+ signed fills - fees, coin by coin, exactly.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from aegis.domain.ids import Coin, Instant, PositionId, Symbol
from aegis.domain.money import ZERO


class TradingState(StrEnum):
    ACTIVE = "ACTIVE"
    REDUCING = "REDUCING"  # entries refused and cancelled; exits and stops go on
    FROZEN = "FROZEN"  # the store failed; lives in memory only


CANARY = "canary"
"""The cause of a halt when the entries that were to be tried are sent: they are left to fill."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """`dust` is left over from own positions, too small to sell; part of `balances`.

    `entries_submitted_at` are those of the last minute. `blocked` symbols take no entries, and
    `orphans` are orders with our tag that this store does not know, both until a reconciliation
    finds them gone. `unresolved` is how much the exchange lacks of a position, until then or until
    a person resolves it. `looked_at` is the exchange's instant that the last one saw. `reason` and
    `cause` say why trading is in this state: words for people, and the machine's own word
    (`daily_loss` ends at the next day start, every other by a person). `restored_at` is when the
    store was put back from a backup, until a reconciliation has found nothing forgotten, or a
    person has looked at what was. `locks` names orders that are not ours by the coin that they keep
    at the exchange, as the last reconciliation saw them, and `doubted` are the positions of which
    orders that are not known here may have sold coins, by that one too. Both are left out where
    there are none, so that rows of older stores are what this program makes too.
    """

    trading_state: TradingState = TradingState.ACTIVE
    cause: str = ""
    reason: str = ""
    is_flattening: bool = False
    has_balances: bool = False
    balances: dict[Coin, Decimal] = {}
    dust: dict[Coin, Decimal] = {}
    entries_submitted_at: tuple[Instant, ...] = ()
    last_closed_at: dict[Symbol, Instant] = {}
    blocked: tuple[Symbol, ...] = ()
    orphans: tuple[str, ...] = ()
    unresolved: dict[PositionId, Decimal] = {}
    looked_at: Instant | None = None
    reconciled_at: Instant | None = None
    day_started_at: Instant | None = None
    day_start_equity: Decimal = ZERO
    peak_equity: Decimal = ZERO
    restored_at: Instant | None = None
    version: int = 0
    locks: dict[Coin, tuple[str, ...]] | msgspec.UnsetType = msgspec.UNSET
    doubted: tuple[PositionId, ...] | msgspec.UnsetType = msgspec.UNSET

    def locked_by(self, coin: Coin) -> tuple[str, ...]:
        """Return the orders of others that keep a coin at the exchange."""
        return () if self.locks is msgspec.UNSET else self.locks.get(coin, ())

    def is_doubted(self, position: PositionId) -> bool:
        """Say whether nobody knows how much of a position is left, but a person."""
        return self.doubted is not msgspec.UNSET and position in self.doubted

    @property
    def calls_off_entries(self) -> bool:
        """Whether entries that are under way are cancelled."""
        return self.trading_state is not TradingState.ACTIVE and self.cause != CANARY
