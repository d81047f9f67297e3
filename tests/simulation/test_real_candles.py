"""Real minutes: a week with fees in quote, or in the coin received; with --long a month."""

from __future__ import annotations

from decimal import Decimal
from itertools import islice
from pathlib import Path

import pytest

from aegis.config.model import Config
from aegis.domain.candles import Candle
from aegis.domain.ids import Coin, Instant
from aegis.domain.instants import instant_of
from aegis.domain.money import ZERO, minus, plus, times, total
from aegis.domain.order import Order, Side
from aegis.exchange.paper_ledger import LedgerView, read_ledger
from aegis.store.reading import View, read_fills, read_positions, read_status
from aegis.store.verify import verify
from supervisors.settings import ledger_path
from tests.crash.evidence import differing, look, unlawful
from tests.real_candles import CANDLES, FORMAT, needs_real_candles
from tests.simulation.one_life import replayed
from tests.simulation.world import Settings, config_of

LIVES = {
    "in quote": ("quote", 10_000),
    "in base": ("received", 10_000),
    "month": ("quote", 45_031),
}
CUT = 3_000
MEANT = {"stamp": FORMAT.stamp, "volume": FORMAT.volume}
BASE, QUOTE = Coin("BTC"), Coin("USDT")

pytestmark = [needs_real_candles, pytest.mark.timeout(300)]


class Replay:
    """A finished replay, and what its files say."""

    def __init__(self, folder: Path, fee_currency: str, count: int) -> None:
        self.count = count
        candles = first_of(CANDLES, self.count, folder / "candles.csv")
        self.config = config_of_real(folder, candles, {"paper": {"fee_currency": fee_currency}})
        self.run = replayed(self.config)
        self.by_open = {candle.open_at: candle for candle in self.run.candles}
        self.store: Path = self.config.store.path
        self.fills: tuple[View, ...] = read_fills(self.store)
        self.orders: dict[str, Order] = look(self.store).orders
        self.ledger: LedgerView = read_ledger(ledger_path(self.config))

    def candle_at(self, instant: Instant) -> Candle:
        """Return the candle in which an instant lies."""
        length_ns = 60_000_000_000
        return self.by_open[Instant(instant // length_ns * length_ns)]


def first_of(source: Path, count: int, target: Path) -> Path:
    """Write the first candles of a file to another."""
    with source.open() as whole:
        target.write_text("".join(islice(whole, count + 1)))
    return target


def config_of_real(folder: Path, candles: Path, *settings: Settings) -> Config:
    market = {"source": "replay", "path": candles, **MEANT, "speed": 0}
    return config_of(folder, {"market": market}, *settings)


@pytest.fixture(
    scope="module",
    params=["in quote", "in base", pytest.param("month", marks=pytest.mark.long)],
)
def replay(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Replay:
    return Replay(tmp_path_factory.mktemp("replay"), *LIVES[request.param])


def filled_at(fill: View) -> Instant:
    return instant_of(str(fill["filled_at"]))


def figure(fill: View, name: str) -> Decimal:
    return Decimal(str(fill[name]))


def test_every_candle_is_gone_through(replay: Replay) -> None:
    assert replay.run.candles_done == len(replay.run.candles) == replay.count


def test_at_least_fifty_trades_are_closed(replay: Replay) -> None:
    assert len(read_positions(replay.store, "CLOSED")) >= 50


def test_fills_lead_from_the_first_balances_to_the_exchange_s_last(replay: Replay) -> None:
    balances = dict(replay.ledger.start_balances)

    def move(coin: Coin, amount: Decimal) -> None:
        balances[coin] = plus(balances.get(coin, ZERO), amount)

    for fill in replay.fills:
        amount, price = figure(fill, "amount"), figure(fill, "price")
        sign = Decimal(1) if fill["side"] == Side.BUY else Decimal(-1)
        move(BASE, times(sign, amount))
        move(QUOTE, minus(ZERO, times(sign, times(amount, price))))
        move(Coin(str(fill["fee_currency"])), minus(ZERO, figure(fill, "fee")))

    assert balances == replay.ledger.balances
    assert balances == read_status(replay.store).account.balances


def test_open_inventory_and_dust_are_the_exchange_s_coins(replay: Replay) -> None:
    status = read_status(replay.store)
    held = total(Decimal(str(position["amount"])) for position in status.positions)

    owned = plus(held, status.account.dust.get(BASE, ZERO))
    assert owned == replay.ledger.balances.get(BASE, ZERO)


def test_fees_are_paid_in_the_coin_that_was_chosen(replay: Replay) -> None:
    in_base = [fill for fill in replay.fills if fill["fee_currency"] == BASE]

    is_received = replay.config.paper.fee_currency == "received"
    bought = [fill for fill in replay.fills if fill["side"] == Side.BUY]
    assert in_base == (bought if is_received else [])


def test_store_and_exchange_are_one(replay: Replay) -> None:
    evidence = look(replay.store)

    assert not unlawful(evidence, replay.ledger)
    assert not differing(evidence, replay.ledger)


def test_no_strategy_order_fills_before_the_next_candle(replay: Replay) -> None:
    """And when it fills at that candle's open, not better than there."""
    count = 0
    for fill in replay.fills:
        order = replay.orders[str(fill["client_order_id"])]
        if order.reason != "strategy":
            continue
        count += 1
        decided = replay.candle_at(Instant(order.intended_at - 1))
        filled = replay.candle_at(filled_at(fill))
        assert filled.open_at >= decided.close_at
        if filled_at(fill) < filled.open_at + 15_000_000_000:
            price = figure(fill, "price")
            is_buy = order.side is Side.BUY
            assert price >= filled.open if is_buy else price <= filled.open
    assert count > 100


def test_no_stop_or_target_fills_better_than_its_trigger(replay: Replay) -> None:
    triggered = [
        (figure(fill, "price"), order.trigger_price)
        for fill in replay.fills
        for order in (replay.orders[str(fill["client_order_id"])],)
        if order.trigger_price is not None
    ]

    assert triggered
    assert all(price <= trigger for price, trigger in triggered)


def test_the_log_is_proved(replay: Replay) -> None:
    verification = verify(replay.store)

    assert verification.problems == ()
    assert verification.head_hash == read_status(replay.store).head_hash


def test_equal_replays_give_equal_logs_and_another_parameter_another(tmp_path: Path) -> None:
    cut = first_of(CANDLES, CUT, tmp_path / "cut.csv")
    hashes = []
    for number, slow in enumerate((21, 21, 34)):
        folder = tmp_path / str(number)
        folder.mkdir()
        strategy = {"strategy": {"params": {"slow": slow}}}
        config = config_of_real(folder, cut, strategy)
        replayed(config)
        hashes.append(read_status(config.store.path).head_hash)

    one, two, other = hashes
    assert one == two
    assert one != other
