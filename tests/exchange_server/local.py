"""A server for tests, in its own process or in a thread, and a typed client of its control API.

Use `process` where something is killed, `in_thread` for speed, and `core.Core` with
`ccxt_peer.cryptocom_on` where no socket is needed at all.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from tests.exchange_server.core import Core
from tests.exchange_server.faults import Fault, Rule
from tests.exchange_server.ledger import LedgerReader, read
from tests.exchange_server.serving import ExchangeServer
from tests.exchange_server.shapes import Settings

KEY = "local-key"
SECRET = "local-secret"  # noqa: S105  of an exchange that does not exist
LEDGER = "exchange.db"

REPOSITORY = Path(__file__).resolve().parents[2]


class RefusedByDeskError(Exception):
    """The control API did not do it; the text says why."""


class Control:
    """What a test does to the exchange from behind the counter."""

    def __init__(self, address: str) -> None:
        self._address = address

    def faults(self, *rules: Rule) -> None:
        """Replace all rules; without any, nothing goes wrong any more."""
        self._call("POST", "faults", msgspec.to_builtins(rules))

    def fault(self, fault: Fault, endpoint: str = "any", **rule: Any) -> None:
        """Replace all rules by one."""
        self.faults(Rule(fault=fault, endpoint=endpoint, **rule))

    def settings(self, **changes: object) -> Settings:
        return msgspec.convert(self._call("POST", "settings", changes), Settings)

    def price(self, instrument: str, price: Decimal | str, *, is_held: bool = True) -> None:
        """Set the last price; held, or the walk goes on from it."""
        wanted = {"instrument": instrument, "price": str(price), "is_held": is_held}
        self._call("POST", "price", wanted)

    def release_price(self, instrument: str) -> None:
        self._call("POST", "price", {"instrument": instrument})

    def clock(self, offset_s: float) -> None:
        """Set how far the exchange's clock is ahead."""
        self._call("POST", "clock", {"offset_s": offset_s})

    def trade(
        self,
        side: Literal["BUY", "SELL"],
        quantity: Decimal | str,
        *,
        instrument: str = "BTC_USDT",
        price: Decimal | str | None = None,
    ) -> dict[str, Any]:
        """Trade at once by the owner's hand, at the market or at a price."""
        return self._act("trade", side=side, quantity=quantity, instrument=instrument, price=price)

    def order(
        self,
        side: Literal["BUY", "SELL"],
        quantity: Decimal | str,
        price: Decimal | str,
        *,
        instrument: str = "BTC_USDT",
        client_oid: str | None = None,
    ) -> dict[str, Any]:
        """Place a limit order that is not ours; with any client id, one with our tag as well."""
        return self._act(
            "order",
            side=side,
            quantity=quantity,
            price=price,
            instrument=instrument,
            client_oid=client_oid,
        )

    def cancel(self, client_oid: str) -> dict[str, Any]:
        return self._act("cancel", client_oid=client_oid)

    def cancel_all(self) -> dict[str, Any]:
        return self._act("cancel_all")

    def fill(
        self,
        client_oid: str,
        quantity: Decimal | str | None = None,
        price: Decimal | str | None = None,
    ) -> dict[str, Any]:
        """Let somebody trade with an open order: its rest at its limit, unless told otherwise."""
        return self._act("fill", client_oid=client_oid, quantity=quantity, price=price)

    def reject(self, client_oid: str) -> dict[str, Any]:
        return self._act("reject", client_oid=client_oid)

    def expire(self, client_oid: str) -> dict[str, Any]:
        return self._act("expire", client_oid=client_oid)

    def forget(self, client_oid: str) -> dict[str, Any]:
        """Let look-ups and history no longer know an order that has ended."""
        return self._act("forget", client_oid=client_oid)

    def deposit(self, coin: str, quantity: Decimal | str) -> dict[str, Any]:
        return self._act("deposit", coin=coin, quantity=quantity)

    def withdraw(self, coin: str, quantity: Decimal | str) -> dict[str, Any]:
        return self._act("withdraw", coin=coin, quantity=quantity)

    def position(self, instrument: str, quantity: Decimal | str, price: Decimal | str) -> None:
        """Let the owner have a derivative's position, `quantity` signed; zero is none."""
        self._act("position", instrument=instrument, quantity=quantity, price=price)

    def liquidate(self, instrument: str, price: Decimal | str | None = None) -> dict[str, Any]:
        """Let the exchange close a position by a trade at a price, or at the last one."""
        return self._act("liquidate", instrument=instrument, price=price)

    def state(self) -> dict[str, Any]:
        return dict(self._call("GET", "state"))

    def requests(self) -> dict[str, int]:
        """Return how many requests came, by endpoint."""
        return dict(self._call("GET", "requests"))

    def _act(self, act: str, **details: object) -> dict[str, Any]:
        told = {name: _plain(value) for name, value in details.items() if value is not None}
        return dict(self._call("POST", "owner", {"act": act, **told}))

    def _call(self, method: str, name: str, body: object = None) -> Any:
        request = urllib.request.Request(  # noqa: S310  a loopback address of our own
            f"{self._address}/control/{name}",
            data=None if body is None else json.dumps(body).encode(),
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  the same
                return json.load(answer)
        except urllib.error.HTTPError as refusal:
            raise RefusedByDeskError(json.load(refusal)["error"]) from None


class Local(NamedTuple):
    """A running server: where it is, what to sign with, and its ledger's file."""

    address: str
    key: str
    secret: str
    ledger_path: Path
    pid: int

    @property
    def base_url(self) -> str:
        return f"{self.address}/exchange/v1"

    @property
    def control(self) -> Control:
        return Control(self.address)

    def ledger(self) -> LedgerReader:
        """Open the ledger for reading; `with` closes it."""
        return read(self.ledger_path)


@contextmanager
def in_thread(
    folder: Path,
    *,
    balances: Mapping[str, str] | None = None,
    settings: Settings | None = None,
    seed: int = 1,
) -> Iterator[Local]:
    """Serve from threads of this process."""
    folder.mkdir(parents=True, exist_ok=True)
    coins = {"USDT": "10000"} if balances is None else balances
    core = Core(
        key=KEY,
        secret=SECRET,
        seed=seed,
        now=time.time_ns(),
        path=folder / LEDGER,
        balances={coin: Decimal(amount) for coin, amount in coins.items()},
        settings=settings,
    )
    server = ExchangeServer(core)
    server.start()
    try:
        yield Local(server.address, KEY, SECRET, folder / LEDGER, os.getpid())
    finally:
        server.stop()


@contextmanager
def process(folder: Path, *arguments: str) -> Iterator[Local]:
    """Serve from a process of its own; `arguments` are those of the command line.

    It ends with this block, and with this process however that ends. What it says goes to
    `server.txt` in the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    command: Sequence[str] = (
        *(sys.executable, "-m", "tests.exchange_server", "--tied"),
        *("--port", "0", "--folder", str(folder), "--key", KEY, "--secret", SECRET),
        *arguments,
    )
    server = subprocess.Popen(
        command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    reader = threading.Thread(target=_copy, args=(server, folder / "server.txt"), daemon=True)
    local = _met(server, folder)
    reader.start()
    try:
        yield local
    finally:
        server.send_signal(signal.SIGCONT)
        server.send_signal(signal.SIGINT)
        try:
            code = server.wait(timeout=10)
        finally:
            server.kill()
            reader.join(timeout=10)
    assert code in {0, -signal.SIGKILL}, f"Expected the server to end well, was {code}"


def _met(server: subprocess.Popen[str], folder: Path) -> Local:
    """Return what a server says about itself in the first line that holds its address."""
    assert server.stdout is not None
    for line in server.stdout:
        if "http://" in line:
            address = line.split()[-1].removesuffix("/exchange/v1")
            return Local(address, KEY, SECRET, folder / LEDGER, server.pid)
    raise AssertionError(f"Expected an address, the server ended with {server.wait()}")


def _copy(server: subprocess.Popen[str], path: Path) -> None:
    """Take all that a server says, so that it never waits for somebody to read it."""
    assert server.stdout is not None
    with path.open("w") as copy:
        for line in server.stdout:
            copy.write(line)


def _plain(value: object) -> object:
    return f"{value:f}" if isinstance(value, Decimal) else value
