"""Start the local exchange by hand: `python -m tests.exchange_server`; Ctrl-C ends it."""

from __future__ import annotations

import argparse
import fcntl
import signal
import sys
import threading
import time
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import IO

import msgspec

from tests.exchange_server.core import Core
from tests.exchange_server.local import KEY, LEDGER, SECRET
from tests.exchange_server.serving import ExchangeServer
from tests.exchange_server.shapes import LISTINGS, Settings


def main(arguments: Sequence[str]) -> int:
    """Serve until a signal to end; state stays in the folder."""
    options = _parser().parse_args(arguments)
    held = _hold(options.folder)
    core = _core(options)
    try:
        server = ExchangeServer(core, options.port, _say if options.verbose else None)
    except OSError as fault:
        sys.exit(f"Expected port {options.port} to be free: {fault.strerror}. Try --port 0.")
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    if options.tied:
        threading.Thread(target=_end_with_input, args=(ended,), daemon=True).start()
    server.start()
    _greet(server, core, options)
    ended.wait()
    server.stop()
    held.close()
    return 0


def _end_with_input(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.exchange_server",
        description="A local Crypto.com Exchange v1 for trying AEGIS' live mode without money.",
    )
    parser.add_argument("--port", type=int, default=8400, help="0 takes a free one")
    parser.add_argument("--folder", type=Path, default=Path("data/exchange"))
    parser.add_argument("--fresh", action="store_true", help="forget what the folder holds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--key", default=KEY)
    parser.add_argument("--secret", default=SECRET)
    parser.add_argument(
        "--balances",
        nargs="+",
        type=_balance,
        default=[("USDT", Decimal(10_000))],
        metavar="COIN=AMOUNT",
    )
    parser.add_argument(
        "--speed-of-prices", type=int, default=1, help="seconds of the price walk in one"
    )
    parser.add_argument(
        "--set",
        nargs="+",
        type=_setting,
        default=[],
        metavar="NAME=VALUE",
        help=f"any of {', '.join(Settings.__struct_fields__)}",
    )
    parser.add_argument("--tied", action="store_true", help="end when standard input ends")
    parser.add_argument("--verbose", action="store_true", help="a line a request")
    return parser


def _balance(text: str) -> tuple[str, Decimal]:
    coin, _, amount = text.partition("=")
    try:
        figure = Decimal(amount)
    except InvalidOperation:
        figure = Decimal(-1)
    if not coin or not figure.is_finite() or figure < 0:
        raise argparse.ArgumentTypeError(f"expected COIN=AMOUNT, as USDT=10000, was {text}")
    return coin, figure


def _setting(text: str) -> tuple[str, object]:
    name, _, value = text.partition("=")
    if name not in Settings.__struct_fields__:
        raise argparse.ArgumentTypeError(f"expected a setting, was {name or text}")
    try:
        return name, msgspec.json.decode(value)
    except msgspec.DecodeError:
        return name, value


def _hold(folder: Path) -> IO[str]:
    """Keep the folder to this process; two exchanges on one ledger would be none."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"Expected {folder} to be free: another local exchange runs there.")
    return lock


def _core(options: argparse.Namespace) -> Core:
    if options.fresh:
        for each in options.folder.glob(f"{LEDGER}*"):
            each.unlink()
    usual = {"rate_limits": True, "creation_lag_s": 0.05, **dict(options.set)}
    try:
        settings = msgspec.convert(usual, Settings, strict=False)
    except msgspec.ValidationError as fault:
        sys.exit(f"--set: {fault}")
    return Core(
        key=options.key,
        secret=options.secret,
        seed=options.seed,
        now=time.time_ns(),
        path=options.folder / LEDGER,
        balances=dict(options.balances),
        settings=settings,
        speed=options.speed_of_prices,
    )


def _greet(server: ExchangeServer, core: Core, options: argparse.Namespace) -> None:
    balances = ", ".join(
        f"{total:f} {coin}" for coin, (total, _) in sorted(core.books.balances().items())
    )
    _say(f"Local exchange at {server.address}/exchange/v1")
    _say(f"Instruments: {', '.join(LISTINGS)}; balances: {balances}; ledger in {options.folder}")
    _say("For AEGIS, in the environment:")
    _say(f"  export AEGIS_EXCHANGE__API_KEY={options.key}")
    _say(f"  export AEGIS_EXCHANGE__SECRET={options.secret}")
    _say("and in config.toml, section [exchange]:")
    _say(f'  base_url = "{server.address}/exchange/v1"')
    _say("Ctrl-C ends it; what happened stays in the folder.")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
