"""An open store beside what a person's script says the exchange holds: compare, heal, record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from aegis.domain.commands import CompleteReconciliation, Refusal
from aegis.domain.events import Discrepancy, Recorded
from aegis.domain.findings import Finding, View, fill_of
from aegis.domain.ids import Generation, Instant, Symbol
from aegis.domain.reconcile import healed, unhealed
from aegis.domain.risk import is_held
from aegis.domain.told_holdings import compare_told
from aegis.domain.venue import VenueAccount, VenueTrade
from aegis.store.clerk import Clerk
from aegis.store.journal import Store

OUTSIDE = Generation(0)
"""The generation of what happens while no tree runs."""


class Comparison:
    """Of an open store with what is told; used once. `tag` begins each order id of the account."""

    def __init__(self, store: Store, clerk: Clerk, tag: str, now: Instant) -> None:
        self._store, self._clerk, self._tag, self._now = store, clerk, tag, now

    def done(
        self, told: Mapping[Symbol, Decimal], trades: Sequence[VenueTrade]
    ) -> tuple[CompleteReconciliation, tuple[Recorded, ...]]:
        """Return what differs and what was done about it, and all that was recorded of it."""
        book = self._store.book
        local = sum(is_held(position) for position in book.alive_positions())
        findings = compare_told(book, self._view(trades), told)
        outcomes = [self._outcome_of(finding) for finding in findings]
        completed = CompleteReconciliation(
            generation=OUTSIDE,
            trigger="library",
            exchange_positions=sum(amount > 0 for amount in told.values()),
            local_positions=local,
            discrepancies=tuple(discrepancy for discrepancy, _ in outcomes),
            as_of=self._store.stamp(self._now),
        )
        recorded = self._clerk.execute(completed, now=self._now)
        assert not isinstance(recorded, Refusal), f"Expected {completed} to be taken"
        heals = tuple(each for _, records in outcomes for each in records)
        return completed, (*heals, *recorded)

    def _view(self, trades: Sequence[VenueTrade]) -> View:
        account = VenueAccount(
            balances={},
            open_orders=(),
            trades=tuple(trades),
            trades_since=Instant(0),
            as_of=self._now,
        )
        known = {
            (trade.symbol, trade.trade_id): fill_of(trade)
            for trade in trades
            if self._store.is_known_trade(trade.symbol, trade.trade_id)
        }
        return View(account=account, fills=known, tag=self._tag)

    def _outcome_of(self, finding: Finding) -> tuple[Discrepancy, tuple[Recorded, ...]]:
        """Heal a finding where that can be done, and return it as it is then."""
        found = finding.discrepancy
        if not finding.heal:
            return found, ()
        done = self._clerk.execute(*finding.heal, now=self._now)
        if isinstance(done, Refusal):
            return unhealed(found, done.text), ()
        return healed(found), done
