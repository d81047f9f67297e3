"""Reconciler: the store beside the exchange, at each start, in intervals, and after any trouble.

It owns one run at a time. It never judges on one look: what differs is looked at again, and
only what both looks saw is healed and recorded. It never speaks with the exchange itself.
"""

from __future__ import annotations

from typing import assert_never

from actors import names
from actors.base import Actor, Context
from aegis.domain.commands import Command, CompleteReconciliation, StartBalances
from aegis.domain.events import Discrepancy
from aegis.domain.ids import NANOS_PER_SECOND, Instant
from aegis.domain.reconcile import Finding, compare, healed, named_orders, seen_twice
from aegis.domain.venue import VenueAccount
from aegis.messages import (
    AccountRead,
    BookRead,
    Execute,
    Executed,
    OrdersRead,
    ReadAccount,
    ReadBook,
    ReadOrders,
    ReconcileNow,
    ReconcilerMessage,
    ReconciliationReported,
    SecondLook,
)

OVERLAP_S = 3600
"""Trades are read again from this long before the last reconciliation: exchanges list late."""

SECOND_LOOK_AFTER_S = 1.0
RETRY_AFTER_S = 2.0


class Reconciler(Actor):
    """`interval_s` is real seconds between two runs; `is_healing` false only reports."""

    def __init__(self, context: Context, *, tag: str, interval_s: float, is_healing: bool) -> None:
        super().__init__(context)
        self._tag = tag
        self._interval_s = interval_s
        self._is_healing = is_healing
        self._run: ReconcileNow | None = None
        self._queue: list[ReconcileNow] = []
        self._first: tuple[Finding, ...] | None = None
        self._account: VenueAccount | None = None
        self._is_waiting_told = False

    def on_started(self) -> None:
        self.every(self._interval_s, ReconcileNow(trigger="interval"))
        self._begin(ReconcileNow(trigger="start"))

    def receive(self, message: ReconcilerMessage) -> None:
        match message:
            case ReconcileNow():
                self._want(message)
            case BookRead():
                since = message.book.account.reconciled_at or OVERLAP_S * NANOS_PER_SECOND
                self._read_account(Instant(since - OVERLAP_S * NANOS_PER_SECOND))
            case AccountRead():
                self._account_read(message)
            case OrdersRead():
                self._judge(message)
            case SecondLook():
                self._look()
            case Executed():
                self._finish(message)
            case _:
                assert_never(message)

    def _want(self, message: ReconcileNow) -> None:
        """Begin, or queue: the run under way may have looked too early for this one."""
        if self._run is None:
            self._begin(message)
        elif message.reply_to is not None or not self._queue:
            self._queue.append(message)

    def _begin(self, message: ReconcileNow) -> None:
        self._run, self._first = message, None
        self._look()

    def _look(self) -> None:
        self.tell(names.POSITION_STORE, ReadBook(reply_to=self.name))

    def _read_account(self, since: Instant) -> None:
        self.tell(names.EXCHANGE_GATEWAY, ReadAccount(trades_since=since, reply_to=self.name))

    def _account_read(self, message: AccountRead) -> None:
        if message.account is None:
            if not self._is_waiting_told:
                self._is_waiting_told = True
                self.log("ReconciliationWaiting", level="warning", reason=message.reason)
            self.after(RETRY_AFTER_S, SecondLook())
            return
        self._is_waiting_told = False
        self._account = message.account
        ids = named_orders(message.account, self._tag)
        self.tell(names.POSITION_STORE, ReadOrders(client_order_ids=ids, reply_to=self.name))

    def _judge(self, message: OrdersRead) -> None:
        account, run = self._account, self._run
        assert account is not None
        assert run is not None
        if not message.book.account.has_balances and not run.is_dry_run:
            self._execute(StartBalances(balances=account.balances))
        findings = compare(message.book, account, message.orders, self._tag)
        if findings and self._first is None:
            self._first = findings
            self.after(SECOND_LOOK_AFTER_S, SecondLook())
            return
        confirmed = seen_twice(self._first or (), findings)
        discrepancies = tuple(self._heal(finding) for finding in confirmed)
        held = [p for p in message.book.alive_positions() if p.amount > 0]
        bases = {p.instrument.base for p in held}
        at_exchange = sum(account.balances.get(base, 0) > 0 for base in bases)
        self._complete(discrepancies, at_exchange, len(held), run)

    def _heal(self, finding: Finding) -> Discrepancy:
        run = self._run
        assert run is not None
        if run.is_dry_run or not self._is_healing or not finding.heal:
            return finding.discrepancy
        for command in finding.heal:
            self._execute(command)
        return healed(finding.discrepancy)

    def _complete(
        self,
        discrepancies: tuple[Discrepancy, ...],
        exchange_positions: int,
        local_positions: int,
        run: ReconcileNow,
    ) -> None:
        for found in discrepancies:
            self.log(
                "DiscrepancyFound",
                level="warning",
                kind=found.kind,
                subject=found.subject,
                expected=found.expected,
                found=found.found,
                action=found.action,
                healed=found.is_healed,
            )
        command = CompleteReconciliation(
            generation=self.generation,
            trigger=run.trigger,
            exchange_positions=exchange_positions,
            local_positions=local_positions,
            discrepancies=discrepancies,
            is_dry_run=run.is_dry_run,
        )
        self._execute(command, is_answer_wanted=True)

    def _finish(self, message: Executed) -> None:
        command, run = message.command, self._run
        assert isinstance(command, CompleteReconciliation)
        assert run is not None
        if run.reply_to is not None:
            report = ReconciliationReported(
                is_dry_run=run.is_dry_run, discrepancies=command.discrepancies
            )
            self.tell(run.reply_to, report)
        self._run = None
        if self._queue:
            self._begin(self._queue.pop(0))

    def _execute(self, command: Command, *, is_answer_wanted: bool = False) -> None:
        reply_to = self.name if is_answer_wanted else None
        self.tell(names.POSITION_STORE, Execute(command=command, by=self.name, reply_to=reply_to))
