"""What the store answers inside one batch is in step with the book of that moment."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from pathlib import Path

from actors import names
from actors.position_store import PositionStore, subscribers
from aegis.domain.commands import CompleteDiagnosis, CompleteReconciliation
from aegis.domain.ids import Coin, Generation, Instant
from aegis.domain.risk import Limits
from aegis.messages import BookRead, Execute, ReadBook
from aegis.store.identity import Identity
from aegis.store.journal import Store
from tests.stage import Stage

ASKER = "Asker"
GENERATION = Generation(3)


def open_store(path: Path) -> Store:
    return Store.open(
        path,
        Identity(mode="paper", exchange="cryptocom", account="main", market="simulated:1"),
        draw_incarnation=lambda: "0" * 16,
        now=Instant(0),
        notice_of=lambda _recorded, _book: None,
    )


def limits() -> Limits:
    return Limits(
        quote_coin=Coin("USDT"),
        open_positions_max=1,
        entries_per_position_max=1,
        order_notional_max=Decimal(1000),
        exposure_max=Decimal(1000),
        orders_per_minute_max=10,
        price_collar_pct=Decimal(1),
        daily_loss_max=Decimal(100),
        drawdown_max_pct=Decimal(20),
        cooldown_s=0,
    )


def test_a_book_read_in_the_batch_of_a_completion_says_that_it_was_completed(
    stage: Stage, tmp_path: Path
) -> None:
    for name in (*subscribers(), names.NOTIFIER, ASKER):
        stage.directory.add(name)
    stage.directory.add(names.POSITION_STORE, keeps_inbox=True)
    reconciled = CompleteReconciliation(
        generation=GENERATION,
        trigger="start",
        exchange_positions=0,
        local_positions=0,
        discrepancies=(),
        is_dry_run=False,
    )
    diagnosed = CompleteDiagnosis(generation=GENERATION, trigger="start", checks=())
    for command in (reconciled, diagnosed):
        stage.tell(names.POSITION_STORE, Execute(command=command, by="test"))
    stage.tell(names.POSITION_STORE, ReadBook(reply_to=ASKER))

    stage.launch(
        names.POSITION_STORE,
        partial(
            PositionStore,
            open_store=lambda: open_store(tmp_path / "aegis.db"),
            limits=limits(),
            subscribers=subscribers(),
        ),
    )
    stage.wait_for(lambda: stage.directory.slot(ASKER).depth > 0)

    read = stage.directory.slot(ASKER).messages[0]
    assert isinstance(read, BookRead)
    assert read.book.last_event_id == len((reconciled, diagnosed))
    assert (read.reconciled, read.diagnosed) == (GENERATION, GENERATION)
