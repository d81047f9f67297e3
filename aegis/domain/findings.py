"""What a reconciliation deals in: kinds of differences, findings, and one look at the exchange."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec

from aegis.domain.commands import Command
from aegis.domain.events import Discrepancy
from aegis.domain.ids import Coin, Symbol, TradeId
from aegis.domain.order import Fill
from aegis.domain.venue import VenueAccount, VenueTrade

Trade = tuple[Symbol, TradeId]
"""What names a trade of the exchange."""


class Kind(StrEnum):
    """Every difference that there can be."""

    PHANTOM = "phantom"  # we hold a position, the exchange does not
    GHOST = "ghost"  # an entry of ours was filled there, and we hold nothing
    AMOUNT_MISMATCH = "amount_mismatch"  # both hold it, and not as much
    PRICE_MISMATCH = "price_mismatch"  # one trade, two prices or fees
    UNKNOWN_ORDER = "unknown_order"  # ended here, open there
    ORPHAN = "orphan"  # our tag there, no intent here
    EXTERNAL = "external"  # the owner's doing


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A difference and the commands that would heal it; none means that a person must look.

    `key` is what two sightings have in common. `is_rest` is one that was judged on what the heals
    of others leave, and stands or falls with them. `is_told` is one that the exchange has said in
    so many words; any other may be what a read shows that lags behind.
    """

    key: tuple[str, ...]
    discrepancy: Discrepancy
    heal: tuple[Command, ...] = ()
    is_rest: bool = False
    is_told: bool = False


Mark = tuple[tuple[str, ...], tuple[Command, ...]]
"""What a finding is, and what would heal it: one that can be healed at last is news."""


def marks_of(findings: Iterable[Finding]) -> frozenset[Mark]:
    """Return what tells findings from others."""
    return frozenset((each.key, each.heal) for each in findings)


class View(msgspec.Struct, frozen=True, kw_only=True):
    """One look: the exchange's account, and which of its trades are booked here, as what.

    Every order that the account names is in the book that it is compared with, ended ones too.
    """

    account: VenueAccount
    fills: Mapping[Trade, Fill]
    tag: str


def not_ours(
    key: tuple[str, ...],
    subject: str,
    found: str,
    locks: Coin | msgspec.UnsetType = msgspec.UNSET,
) -> Finding:
    """Return what the owner has at the exchange beside us: told, and never touched."""
    return Finding(
        key=(Kind.EXTERNAL, *key),
        discrepancy=Discrepancy(
            kind=Kind.EXTERNAL,
            symbol=None,
            subject=subject,
            expected="nothing",
            found=f"{found} that is not ours",
            action="none: it is not ours",
            is_healed=True,
            locks=locks,
        ),
    )


def fill_of(trade: VenueTrade) -> Fill:
    """Return a trade of the exchange as a fill of ours."""
    return Fill(
        trade_id=trade.trade_id,
        amount=trade.amount,
        price=trade.price,
        fee=trade.fee,
        fee_currency=trade.fee_currency,
        liquidity=trade.liquidity,
        filled_at=trade.at,
    )
