"""AEGIS in live mode on an account that others use as well: its owner, and a second AEGIS.

What the exchange has is the truth; what the store says of it must be the same to the last digit,
but for coins that are the owner's own.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

from msgspec.structs import replace

from aegis.domain.ids import NANOS_PER_SECOND, Coin, Instant, account_tag
from aegis.domain.order import Role
from supervisors.restoring import no_progress, restore_life
from tests.crash.evidence import NOTHING, Evidence, Fill, differing, unlawful
from tests.exchange_server.ledger import LedgerReader
from tests.exchange_server.shapes import Fill as Trade
from tests.live.agreement import view_of
from tests.live.world import LiveWorld
from tests.simulation.world import NO_STOPS, Settings, merged

ONCE = "tests.live.hands:Once"
TAG = account_tag("live", "cryptocom", "main")
HUNDREDTH: Settings = {"sizing": {"value": 400}, "market": {"poll_interval_s": 5}}
"""About 0.01 BTC at 40,000."""


class AccountWorld(LiveWorld):
    """A world without stops: what happens is the test's doing, and the owner's."""

    def __init__(self, folder: Path, *, settings: Settings | None = None, **ways: Any) -> None:
        calm = merged(NO_STOPS, HUNDREDTH, settings or {})
        super().__init__(folder, settings=calm, **{"strategy": ONCE, "period_s": 1, **ways})

    def share(self, other: AccountWorld) -> None:
        """Have the account of another world from now on, at its instant."""
        self.core, self.desk, self._at = other.core, other.desk, other.now()
        self.config = self.config.model_copy(update={"exchange": other.config.exchange})
        self.incarnation = other.incarnation[::-1]

    def hold(self) -> Self:
        """Start, and go on until a position is held and its order has ended."""
        self.start()
        self.run_until(lambda: self.has_said("PositionOpened"))
        self.run_for(2)
        return self

    def be_down(self, seconds: float, act: Callable[[], object] = lambda: None) -> None:
        """Be killed, let something happen at the exchange, and a while go by there; then start."""
        self.drop()
        act()
        self.go_by(seconds)
        self.start()

    def keep_copy(self) -> Path:
        """Return a copy of the store of nobody who lives, as it is now."""
        kept = self.folder / "kept"
        kept.mkdir()
        for file in self.folder.glob(f"{self.store_path.name}*"):
            if file.is_file():
                shutil.copy(file, kept)
        return kept / self.store_path.name

    def restore(self, kept: Path) -> None:
        """Put a copy in the store's place, by the command for it."""
        messengers = tuple(self.messengers)
        answer = restore_life(self.config, str(kept), messengers, self.log, no_progress)
        assert answer.is_done, answer.text

    def go_by(self, seconds: float) -> None:
        """Let time go by at the exchange while nobody lives."""
        self._at = Instant(self._at + int(seconds * NANOS_PER_SECOND))
        self.core.advance(self._at)

    def reconciled(self) -> None:
        """Go on to the end of the reconciliation that comes next."""
        before = len(self.said("ReconciliationCompleted"))
        self.run_until(lambda: len(self.said("ReconciliationCompleted")) > before)

    # What can be seen -----------------------------------------------------------------------

    def discrepancies(self) -> list[dict[str, Any]]:
        """Return what the last run of the reconciliation found."""
        data = self.history("ReconciliationCompleted")[-1]["data"]
        assert isinstance(data, dict), data
        return list(data["discrepancies"])

    def kinds(self) -> list[str]:
        return [each["kind"] for each in self.discrepancies()]

    def expect_truth(self, **owned: str) -> None:
        """Expect store and exchange to be one to the last digit, but for coins of the owner's."""
        assert self.verified().problems == ()
        coins = {Coin(coin): Decimal(amount) for coin, amount in owned.items()}
        assert tuple(differences(self.evidence(), self.core.ledger, coins)) == ()
        assert self.core.ledger.doubles() == {}


def differences(
    store: Evidence, ledger: LedgerReader, owned: Mapping[Coin, Decimal] = NOTHING
) -> Iterator[str]:
    """Yield in what they differ; what the owner sold of a position is a forced order here."""
    forced = {key for key, order in store.orders.items() if order.role is Role.FORCED}
    ours = replace(
        store,
        orders={key: order for key, order in store.orders.items() if key not in forced},
        fills=tuple(fill for fill in store.fills if fill.client_order_id not in forced),
    )
    yield from unlawful(ours, view_of(ledger))
    yield from differing(ours, view_of(ledger), owned)
    trades = {trade.trade_id: trade for trade in ledger.fills()}
    for fill in store.fills:
        if fill.client_order_id in forced and not _is_of(fill, trades.get(fill.trade_id)):
            yield f"forced fill {fill} is {trades.get(fill.trade_id)} at the exchange"


def _is_of(fill: Fill, trade: Trade | None) -> bool:
    """Say whether a fill is a trade, or a part of it."""
    if trade is None:
        return False
    is_same = (fill.price, fill.side) == (trade.price, trade.side.lower())
    return is_same and fill.amount <= trade.quantity
