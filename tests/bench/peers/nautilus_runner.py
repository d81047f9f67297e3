"""The series through NautilusTrader; run by its own Python: `RUNNER CANDLES.csv TASK.json`.

Its bars arrive at their close. So that an order fills at the next candle's open, as in the other
engines, each open is a quote of its own, two nanoseconds after the bar before it, and orders take
one nanosecond to the venue; bars themselves fill nothing. Prints one JSON object: what
`tests.bench.trades` reads.
"""

from __future__ import annotations

import json
import sys
import time
from decimal import Decimal
from pathlib import Path

import nautilus_trader
import pandas as pd
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.backtest.models import FillModel, LatencyModel, MakerTakerFeeModel
from nautilus_trader.config import LoggingConfig, StrategyConfig
from nautilus_trader.model.currencies import BTC, USDT
from nautilus_trader.model.data import Bar, BarType, QuoteTick
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import CurrencyPair
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.trading.strategy import Strategy

MINUTE_NS = 60_000_000_000
VENUE = Venue("SIM")
BAR_TYPE = BarType.from_str("BTCUSDT.SIM-1-MINUTE-LAST-EXTERNAL")
AMOUNT_STEP = Decimal("0.00001")


class EmaCrossConfig(StrategyConfig, frozen=True):
    fast: int
    slow: int
    warmup: int
    notional: str


class EmaCross(Strategy):
    def __init__(self, config: EmaCrossConfig) -> None:
        super().__init__(config)
        self.seen = 0
        self.fast = self.slow = None
        self.was_above = True
        self.is_holding = False
        self.notional = Decimal(config.notional)

    def on_start(self) -> None:
        self.instrument = self.cache.instrument(BAR_TYPE.instrument_id)
        self.subscribe_bars(BAR_TYPE)

    def on_bar(self, bar: Bar) -> None:
        close = float(bar.close)
        self.seen += 1
        if self.fast is None:
            self.fast = self.slow = close
        else:
            self.fast += (close - self.fast) * 2 / (self.config.fast + 1)
            self.slow += (close - self.slow) * 2 / (self.config.slow + 1)
        is_above, was_above = self.fast > self.slow, self.was_above
        self.was_above = is_above
        if self.seen <= self.config.warmup:
            return
        if self.is_holding and not is_above:
            self.close_all_positions(BAR_TYPE.instrument_id)
            self.is_holding = False
        elif not self.is_holding and is_above and not was_above:
            steps = self.notional / bar.close.as_decimal() // AMOUNT_STEP
            quantity = self.instrument.make_qty(steps * AMOUNT_STEP)
            order = self.order_factory.market(BAR_TYPE.instrument_id, OrderSide.BUY, quantity)
            self.submit_order(order)
            self.is_holding = True


def instrument_of(fee_rate: Decimal) -> CurrencyPair:
    return CurrencyPair(
        instrument_id=InstrumentId(Symbol("BTCUSDT"), VENUE),
        raw_symbol=Symbol("BTCUSDT"),
        base_currency=BTC,
        quote_currency=USDT,
        price_precision=2,
        size_precision=5,
        price_increment=Price.from_str("0.01"),
        size_increment=Quantity.from_str("0.00001"),
        lot_size=None,
        max_quantity=None,
        min_quantity=Quantity.from_str("0.00001"),
        max_notional=None,
        min_notional=Money(1, USDT),
        max_price=None,
        min_price=None,
        margin_init=Decimal(0),
        margin_maint=Decimal(0),
        maker_fee=fee_rate,
        taker_fee=fee_rate,
        ts_event=0,
        ts_init=0,
    )


def data_of(candles: Path) -> list:
    """Return a quote at each open and a bar at each close, in order of time."""
    frame = pd.read_csv(candles)
    found = []
    plenty, instrument_id = Quantity.from_str("1000000.00000"), BAR_TYPE.instrument_id
    for row in frame.itertuples(index=False):
        opens_at = int(row.timestamp) * 1_000_000_000
        opened = Price(row.open, 2)
        at = opens_at + 2
        found.append(QuoteTick(instrument_id, opened, opened, plenty, plenty, at, at))
        at = opens_at + MINUTE_NS
        found.append(
            Bar(
                BAR_TYPE, opened, Price(row.high, 2), Price(row.low, 2), Price(row.close, 2),
                Quantity(row.volume, 5), at, at,
            )
        )  # fmt: skip
    return found


def main(candles: Path, task: dict) -> dict:
    engine = BacktestEngine(
        BacktestEngineConfig(logging=LoggingConfig(log_level="ERROR", bypass_logging=True))
    )
    engine.add_venue(
        venue=VENUE,
        oms_type=OmsType.NETTING,
        account_type=AccountType.CASH,
        starting_balances=[Money(task["cash"], USDT)],
        fill_model=FillModel(),
        fee_model=MakerTakerFeeModel(),
        latency_model=LatencyModel(1),
        bar_execution=False,
    )
    engine.add_instrument(instrument_of(Decimal(task["fee_rate"])))
    engine.add_data(data_of(candles))
    settings = {name: task[name] for name in ("fast", "slow", "warmup", "notional")}
    engine.add_strategy(EmaCross(EmaCrossConfig(**settings)))
    began = time.perf_counter()
    engine.run()
    seconds = time.perf_counter() - began
    closed = [
        *(each for each in engine.cache.position_snapshots() if each.is_closed),
        *engine.cache.positions_closed(),
    ]
    trades = [
        {
            "opened_at": position.ts_opened // 1_000_000_000,
            "closed_at": position.ts_closed // 1_000_000_000,
            "amount": float(position.peak_qty),
            "entry_price": position.avg_px_open,
            "exit_price": position.avg_px_close,
            "pnl": position.realized_pnl.as_double(),
        }
        for position in sorted(closed, key=lambda each: each.ts_opened)
    ]
    engine.dispose()
    return {"version": nautilus_trader.__version__, "seconds": seconds, "trades": trades}


if __name__ == "__main__":
    told = main(Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text()))
    sys.stdout.write(json.dumps(told))
