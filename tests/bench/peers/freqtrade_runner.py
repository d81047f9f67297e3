"""The series through freqtrade; run by its own Python: `RUNNER CANDLES.csv TASK.json`.

freqtrade asks an exchange for its markets; here the one market is handed in, so that nothing is
asked of a network. Prints one JSON object: what `tests.bench.trades` reads.
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
import time
from pathlib import Path

import freqtrade
import pandas as pd
from freqtrade.data.history import get_timerange
from freqtrade.enums import CandleType, RunMode
from freqtrade.optimize.backtesting import Backtesting
from freqtrade.resolvers import ExchangeResolver

PAIR = "BTC/USDT"
MARKET = {
    "id": "BTCUSDT", "symbol": PAIR, "base": "BTC", "quote": "USDT", "settle": None,
    "type": "spot", "spot": True, "margin": False, "swap": False, "future": False,
    "option": False, "contract": False, "linear": None, "inverse": None, "active": True,
    "contractSize": None, "taker": 0.001, "maker": 0.001,
    "precision": {"amount": 0.00001, "price": 0.01},
    "limits": {
        "amount": {"min": 0.00001, "max": None}, "price": {"min": 0.01, "max": None},
        "cost": {"min": 1, "max": None}, "leverage": {"min": None, "max": None},
    },
    "info": {},
}  # fmt: skip


def config_of(task: dict, folder: Path) -> dict:
    return {
        "runmode": RunMode.BACKTEST,
        "dry_run": True,
        "dry_run_wallet": float(task["cash"]),
        "stake_currency": "USDT",
        "stake_amount": float(task["notional"]),
        "max_open_trades": 1,
        "fee": float(task["fee_rate"]),
        "timeframe": "1m",
        "trading_mode": "spot",
        "margin_mode": "",
        "candle_type_def": CandleType.SPOT,
        "exchange": {"name": "binance", "pair_whitelist": [PAIR], "pair_blacklist": []},
        "pairlists": [{"method": "StaticPairList"}],
        "entry_pricing": {"price_side": "other", "use_order_book": False},
        "exit_pricing": {"price_side": "other", "use_order_book": False},
        "order_types": {
            "entry": "market", "exit": "market", "stoploss": "market",
            "stoploss_on_exchange": False,
        },
        "strategy": "EmaCross",
        "strategy_path": str(Path(__file__).parent / "freqtrade_strategy"),
        "user_data_dir": folder,
        "datadir": folder,
        "exportdirectory": folder,
        "exportfilename": folder / "none.json",
        "export": "none",
        "dataformat_ohlcv": "feather",
        "dataformat_trades": "feather",
        "enable_protections": False,
        "original_config": {},
        "internals": {},
        "bench": task,
    }  # fmt: skip


def main(candles: Path, task: dict, folder: Path) -> dict:
    config = config_of(task, folder)
    exchange = ExchangeResolver.load_exchange(config, validate=False)
    exchange._markets = {PAIR: MARKET}
    frame = pd.read_csv(candles)
    frame["date"] = pd.to_datetime(frame["timestamp"], unit="s", utc=True)
    frame = frame[["date", "open", "high", "low", "close", "volume"]].astype(
        dict.fromkeys(("open", "high", "low", "close", "volume"), float)
    )
    test = Backtesting(config, exchange)
    test._set_strategy(test.strategylist[0])
    began = time.perf_counter()
    processed = test.strategy.advise_all_indicators({PAIR: frame})
    start, end = get_timerange(processed)
    trades = test.backtest(processed=processed, start_date=start, end_date=end)["results"]
    seconds = time.perf_counter() - began
    closed = trades[trades["exit_reason"] != "force_exit"]
    return {
        "version": freqtrade.__version__,
        "seconds": seconds,
        "trades": [
            {
                "opened_at": int(row.open_date.timestamp()),
                "closed_at": int(row.close_date.timestamp()),
                "amount": row.amount,
                "entry_price": row.open_rate,
                "exit_price": row.close_rate,
                "pnl": row.profit_abs,
            }
            for row in closed.itertuples()
        ],
    }


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as name:
        told = main(Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text()), Path(name))
    sys.stdout.write(json.dumps(told))
