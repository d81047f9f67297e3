"""The engines that are measured, and how each is started over the same file.

AEGIS runs as its command does; a peer runs a script of ours in its own environment, as the
peers' dependencies do not fit into one.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from aegis.domain.ids import NANOS_PER_SECOND
from aegis.domain.instants import instant_of
from tests.bench.measuring import Measured, measured
from tests.bench.series import SYMBOL
from tests.bench.trades import Trade

ROOT = Path(__file__).parents[2]
PEERS = Path(__file__).parent / "peers"
WARMUP_SLOW_TIMES = 3
"""AEGIS acts after three slow periods; so do the others here."""

AEGIS = "AEGIS"
AEGIS_KEPT = "AEGIS, store kept"


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What all engines do: enter when the fast average crosses the slow one, leave below it.

    An order is decided at a candle's close and fills at the next open, in full, without spread
    or slippage; its amount is `notional` over the close, cut to 0.00001.
    """

    fast: int = 9
    slow: int = 21
    notional: str = "100"
    cash: str = "10000"
    fee_rate: str = "0.001"

    @property
    def warmup(self) -> int:
        return WARMUP_SLOW_TIMES * self.slow

    def as_json(self) -> str:
        return json.dumps({**msgspec.structs.asdict(self), "warmup": self.warmup})

    def settings(self) -> dict[str, str]:
        """Return what makes AEGIS trade so: no stops, no limit in the way, no costs but fees."""
        return {
            "strategy.params": f"{{fast = {self.fast}, slow = {self.slow}}}",
            "sizing.value": self.notional,
            "paper.balances": f'{{USDT = "{self.cash}"}}',
            "paper.fee_rate": self.fee_rate,
            "paper.spread_bps": "0",
            "paper.slippage_bps": "0",
            "paper.volume_share_max": "1",
            "risk.stop_loss_pct": "0",
            "risk.take_profit_pct": "0",
            "risk.daily_loss_max": "1000000",
            "risk.drawdown_max_pct": "100",
            "risk.price_collar_pct": "100",
        }


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One run of an engine; `run_s` is from candles in memory to all trades known."""

    version: str
    trades: tuple[Trade, ...]
    run_s: float
    process: Measured


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    runner: str
    variable: str  # names the Python of an environment that has it


PEERS_KNOWN = (
    Peer(
        name="backtesting.py",
        runner="backtesting_runner.py",
        variable="BENCH_BACKTESTING_PYTHON",
    ),
    Peer(name="freqtrade", runner="freqtrade_runner.py", variable="BENCH_FREQTRADE_PYTHON"),
    Peer(name="NautilusTrader", runner="nautilus_runner.py", variable="BENCH_NAUTILUS_PYTHON"),
)


def run_aegis(task: Task, candles: Path, folder: Path, *, is_kept: bool) -> Outcome:
    """Run AEGIS' own command over the candles, with settings of its own alone."""
    config = folder / "config.toml"
    config.write_text("")
    command = [
        *(sys.executable, str(ROOT / "run.py"), "backtest", "--json", "--config", str(config)),
        *("--data", f"{SYMBOL}={candles}"),
        *(word for key, value in task.settings().items() for word in ("--set", f"{key}={value}")),
        *(("--keep", str(folder / "kept" / "aegis.db")) if is_kept else ()),
    ]
    process = measured(command, folder, {**_environ(), "TMPDIR": str(folder)})
    told = json.loads(process.out)
    return Outcome(
        version=_version(),
        trades=tuple(_own_trade(each) for each in told["closed"]),
        run_s=told["seconds"],
        process=process,
    )


def run_peer(peer: Peer, python: str, task: Task, candles: Path, folder: Path) -> Outcome:
    """Run a peer's script in its environment."""
    settings = folder / "task.json"
    settings.write_text(task.as_json())
    command = [python, str(PEERS / peer.runner), str(candles), str(settings)]
    process = measured(command, folder, _environ())
    told = json.loads(process.out, parse_float=Decimal)
    return Outcome(
        version=str(told["version"]),
        trades=tuple(_trade(each) for each in told["trades"]),
        run_s=float(told["seconds"]),
        process=process,
    )


def _environ() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("AEGIS")}


def _version() -> str:
    from aegis import __version__

    return __version__


def _own_trade(told: Mapping[str, Any]) -> Trade:
    return Trade(
        opened_at=_second(told["opened_at"]),
        closed_at=_second(told["closed_at"]),
        amount=Decimal(told["amount"]),
        entry_price=Decimal(told["entry_price"]),
        exit_price=Decimal(told["exit_price"]),
        pnl=Decimal(told["pnl"]),
    )


def _second(written: str) -> int:
    return instant_of(written) // NANOS_PER_SECOND


def _trade(told: Mapping[str, Any]) -> Trade:
    return Trade(
        opened_at=told["opened_at"],
        closed_at=told["closed_at"],
        amount=Decimal(told["amount"]),
        entry_price=Decimal(told["entry_price"]),
        exit_price=Decimal(told["exit_price"]),
        pnl=Decimal(told["pnl"]),
    )
