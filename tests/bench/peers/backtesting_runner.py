"""The series through backtesting.py; run by its own Python: `RUNNER CANDLES.csv TASK.json`.

Prints one JSON object: what `tests.bench.trades` reads.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from decimal import Decimal
from pathlib import Path

import backtesting
import numpy as np
import pandas as pd

UNIT = Decimal("0.00001")
"""The library trades whole units; a unit is the amount's step, and prices are per unit."""


def strategy_of(task: dict) -> type[backtesting.Strategy]:
    notional = Decimal(task["notional"])

    class EmaCross(backtesting.Strategy):
        def init(self) -> None:
            close = pd.Series(self.data.Plain)
            fast, slow = (
                close.ewm(span=task[name], adjust=False).mean() for name in ("fast", "slow")
            )
            self.is_above = self.I(lambda: (fast > slow).to_numpy(dtype=float), plot=False)

        def next(self) -> None:
            if len(self.data) <= task["warmup"]:
                return
            is_above, was_above = bool(self.is_above[-1]), bool(self.is_above[-2])
            if self.position and not is_above:
                self.position.close()
            elif not self.position and is_above and not was_above:
                close = Decimal(repr(float(self.data.Plain[-1])))
                self.buy(size=int(notional / close / UNIT))

    return EmaCross


def main(candles: Path, task: dict) -> dict:
    frame = pd.read_csv(candles)
    times = frame["timestamp"].to_numpy()
    plain = frame["close"].to_numpy(dtype=float)
    unit = float(UNIT)
    data = pd.DataFrame(
        {
            "Open": frame["open"] * unit,
            "High": frame["high"] * unit,
            "Low": frame["low"] * unit,
            "Close": frame["close"] * unit,
            "Volume": frame["volume"],
            "Plain": plain,
        }
    ).set_index(pd.to_datetime(times, unit="s"))
    warnings.filterwarnings("ignore")
    test = backtesting.Backtest(
        data,
        strategy_of(task),
        cash=float(task["cash"]),
        commission=float(task["fee_rate"]),
        trade_on_close=False,
        finalize_trades=False,
    )
    began = time.perf_counter()
    trades = test.run()["_trades"]
    seconds = time.perf_counter() - began
    return {
        "version": backtesting.__version__,
        "seconds": seconds,
        "trades": [
            {
                "opened_at": int(times[row.EntryBar]),
                "closed_at": int(times[row.ExitBar]),
                "amount": float(np.round(row.Size * unit, 8)),
                "entry_price": row.EntryPrice / unit,
                "exit_price": row.ExitPrice / unit,
                "pnl": row.PnL,
            }
            for row in trades.itertuples()
        ],
    }


if __name__ == "__main__":
    told = main(Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text()))
    sys.stdout.write(json.dumps(told))
