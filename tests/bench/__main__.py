"""`python -m tests.bench backtest`: see docs/performance.md."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from tests.bench import backtest
from tests.bench.engines import PEERS_KNOWN
from tests.real_candles import CANDLES


def main(arguments: list[str]) -> int:
    """Take the options and run the measurement that is named."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    of_backtest = commands.add_parser("backtest", help="the same trades through several engines")
    of_backtest.add_argument("--data", type=Path, default=CANDLES, help="candles, close-stamped")
    of_backtest.add_argument("--candles", type=int, default=None, help="only the first so many")
    of_backtest.add_argument("--runs", type=int, default=3, help="of each engine, in turns")
    of_backtest.add_argument("--json", action="store_true")
    for peer in PEERS_KNOWN:
        of_backtest.add_argument(
            _option_of(peer.variable),
            dest=peer.name,
            metavar="PYTHON",
            default=os.environ.get(peer.variable),
            help=f"a Python that has {peer.name}; else {peer.variable}",
        )
    given = vars(parser.parse_args(arguments))
    pythons = {peer.name: given[peer.name] for peer in PEERS_KNOWN if given[peer.name]}
    return backtest.compare(
        given["data"],
        count=given["candles"],
        runs=given["runs"],
        pythons=pythons,
        is_json=given["json"],
    )


def _option_of(variable: str) -> str:
    return "--" + variable.removeprefix("BENCH_").replace("_", "-").lower()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
