"""What an exchange lists, kept on disk, so that a start does not need the exchange.

Invariants:
1. The file is whole or not there: it is written beside its name, synced, then named.
2. What cannot be read, or was written of another exchange, is told and counts as absent. So does
   any figure in it that no instrument can have.
3. A list older than an hour is used only where the exchange tells none, and that is told. Who asks
   anew is answered by the exchange, or not at all.
4. What was asked for and is not told is listed no more, whatever was kept.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from aegis.domain.ids import NANOS_PER_SECOND, Instant, Symbol
from aegis.domain.instrument import Instrument
from aegis.domain.money import is_amount, is_figure

VERSION = 1
FRESH_S = 3_600
"""A symbol that was taken off the list is known to be within this."""
MARKETS_ENDING = ".markets.json"
BYTES_MAX = 64 * 1024 * 1024

Tell = Callable[[str], None]
"""Hears one line for a person: what was found wrong with the file, or that an old list is used."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for, and listed, with `names` of all else that was.

    `markets` are the library's own words, for those exchanges whose protocol it reads.
    """

    version: int
    exchange: str
    fetched_at: Instant
    instruments: tuple[Instrument, ...]
    markets: dict[str, Any]
    names: tuple[Symbol, ...] = ()  # none in files of an older AEGIS


_KEPT = msgspec.json.Decoder(Kept)


class Markets:
    """The instruments of one exchange; any thread may ask. Without a path they end with it."""

    def __init__(self, path: Path | None, exchange: str, tell: Tell) -> None:
        """Open nothing yet: the file is read when it is first asked for."""
        self._path = path
        self._exchange = exchange
        self._tell = tell
        self._lock = threading.Lock()
        self._kept: Kept | None = None
        self._is_read = path is None

    def fresh(self, symbols: Collection[Symbol], now: Instant) -> tuple[Instrument, ...] | None:
        """Return the instruments of all these symbols, if they were told within an hour."""
        kept = self._known()
        return _those(kept, symbols) if kept and _is_fresh(kept, now) else None

    def stale(self, symbols: Collection[Symbol], now: Instant) -> tuple[Instrument, ...] | None:
        """Return the instruments of all these symbols, however old, and tell how old they are."""
        kept = self._known()
        found = _those(kept, symbols) if kept else None
        if kept is not None and found is not None:
            hours = (now - kept.fetched_at) // (3600 * NANOS_PER_SECOND)
            self._tell(f"the exchange does not tell what it lists: a list of {hours} h ago is used")
        return found

    def market(self, symbol: Symbol) -> dict[str, Any] | None:
        """Return what the library knows of a symbol, or None."""
        kept = self._known()
        return kept.markets.get(symbol) if kept else None

    def keep(
        self,
        asked: Collection[Symbol],
        instruments: tuple[Instrument, ...],
        markets: Mapping[str, Any],
        now: Instant,
        names: tuple[Symbol, ...] = (),
    ) -> None:
        """Remember what the exchange told, in memory and on disk; a disk that fails is told.

        Other symbols stay as long as they are fresh, and all are as old as the eldest then.
        """
        known = self._known()
        kept = Kept(
            version=VERSION,
            exchange=self._exchange,
            fetched_at=now,
            instruments=instruments,
            markets=dict(markets),
            names=names,
        )
        if known is not None and _is_fresh(known, now):
            kept = _together(known, kept, asked)
        with self._lock:
            self._kept, self._is_read = kept, True
            if self._path is not None:
                try:
                    _write(self._path, msgspec.json.encode(kept))
                except OSError as error:
                    self._tell(f"what the exchange lists could not be kept: {error.strerror}")

    def _known(self) -> Kept | None:
        with self._lock:
            if not self._is_read and self._path is not None:
                kept = read_kept(self._path, self._exchange)
                if isinstance(kept, str):
                    self._tell(f"the kept list of instruments is not used: {kept}")
                    kept = None
                self._kept, self._is_read = kept, True
            return self._kept


def markets_beside(store: Path) -> Path:
    """Return where the list of what an exchange trades is kept."""
    return store.with_name(store.name + MARKETS_ENDING)


def read_kept(path: Path, exchange: str) -> Kept | str | None:
    """Return what a file holds, why it is unfit, or None where there is none."""
    try:
        with path.open("rb") as file:
            kept = _KEPT.decode(file.read(BYTES_MAX))
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, RecursionError):
        return "it cannot be read"
    if (kept.version, kept.exchange) != (VERSION, exchange):
        return "it was written for another exchange, or by another AEGIS"
    if not all(_is_sound(each) for each in kept.instruments):
        return "a figure in it is none"
    return kept


def _is_fresh(kept: Kept, now: Instant) -> bool:
    return 0 <= now - kept.fetched_at <= FRESH_S * NANOS_PER_SECOND


def _together(known: Kept, told: Kept, asked: Collection[Symbol]) -> Kept:
    others = (each for each in known.instruments if each.symbol not in asked)
    instruments = {each.symbol: each for each in (*others, *told.instruments)}
    return msgspec.structs.replace(
        told,
        fetched_at=min(known.fetched_at, told.fetched_at),
        instruments=tuple(instruments.values()),
        markets=known.markets | told.markets,
    )


def _those(kept: Kept, symbols: Collection[Symbol]) -> tuple[Instrument, ...] | None:
    known = {each.symbol: each for each in kept.instruments}
    return tuple(known[symbol] for symbol in symbols) if known.keys() >= set(symbols) else None


def _is_sound(instrument: Instrument) -> bool:
    steps = (instrument.amount_step, instrument.price_step)
    least = (instrument.amount_min, instrument.notional_min)
    return all(is_figure(each) and is_amount(each) for each in steps) and all(
        is_figure(each) and each >= 0 for each in least
    )


def _write(path: Path, content: bytes) -> None:
    """Put a whole file in the place of another, on the disk when this returns."""
    beside = path.with_name(f".{path.name}.new")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        beside.replace(path)
    finally:
        with suppress(OSError):
            beside.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
