"""What the benches are told on the command line; see docs/performance.md."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from tests.bench import backtest
from tests.bench.engines import PEERS_KNOWN
from tests.real_candles import CANDLES

ABOUT = "`backtest`, `store`, `load`, `looks`, `start`, `gateway`: see docs/performance.md."


def main(arguments: list[str]) -> int:
    """Take the options and run the measurement that is named."""
    given = vars(_parser().parse_args(arguments))
    if given["command"] == "looks":
        from tests.bench import looks

        return looks.compare(
            given["store"],
            events=given["events"],
            positions=given["positions"],
            is_json=given["json"],
        )
    if given["command"] == "store":
        from tests.bench.store.command import Sizes, compare

        return compare(Sizes(), runs=given["rounds"], is_json=given["json"], folder=given["folder"])
    if given["command"] == "load":
        from tests.bench.store.load import Load, compare_loads

        load = Load(rate=given["rate"], seconds=given["seconds"], positions=given["positions"])
        return compare_loads(load, is_json=given["json"], folder=given["folder"])
    if given["command"] == "start":
        from tests.bench.start import command as start

        return start.compare(given["rounds"], is_json=given["json"])
    if given["command"] == "gateway":
        from tests.bench.gateway import command as gateway

        return gateway.compare(given["orders"], is_json=given["json"])
    pythons = {peer.name: given[peer.name] for peer in PEERS_KNOWN if given[peer.name]}
    return backtest.compare(
        given["data"],
        count=given["candles"],
        runs=given["runs"],
        pythons=pythons,
        is_json=given["json"],
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=ABOUT)
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
    of_store = commands.add_parser("store", help="the store beside what it is made of")
    of_store.add_argument("--rounds", type=int, default=9, help="of each contender, in turns")
    of_store.add_argument("--folder", type=Path, default=None, help="on the disk to be measured")
    of_store.add_argument("--json", action="store_true")
    of_load = commands.add_parser("load", help="how long updates wait beside a backup and a reader")
    of_load.add_argument("--rate", type=int, default=1_000, help="updates a second")
    of_load.add_argument("--seconds", type=float, default=30)
    of_load.add_argument("--positions", type=int, default=1_000)
    of_load.add_argument("--folder", type=Path, default=None, help="on the disk to be measured")
    of_load.add_argument("--json", action="store_true")
    of_looks = commands.add_parser("looks", help="status, at, history and verify of a big store")
    of_looks.add_argument("--events", type=int, default=1_000_000)
    of_looks.add_argument("--positions", type=int, default=10_000)
    of_looks.add_argument("--store", type=Path, default=None, help="one of so many, made before")
    of_looks.add_argument("--json", action="store_true")
    of_start = commands.add_parser("start", help="from a process' start to armed, and memory")
    of_start.add_argument("--rounds", type=int, default=9, help="of each start, in turns")
    of_start.add_argument("--json", action="store_true")
    of_gateway = commands.add_parser("gateway", help="from an intent to the request on the wire")
    of_gateway.add_argument("--orders", type=int, default=500, help="alone, and as many beside")
    of_gateway.add_argument("--json", action="store_true")
    return parser


def _option_of(variable: str) -> str:
    return "--" + variable.removeprefix("BENCH_").replace("_", "-").lower()
