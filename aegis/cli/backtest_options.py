"""What `backtest` is given, as settings: files and their symbols, and `--set key=value`.

Invariants:
1. Every option that means nothing is told, all of them at once, under its own name.
2. What makes a run a backtest (paper, replay, speed 0, its own store and log) nobody can set.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from aegis.cli.set_options import faults_of_settings, overrides_of_settings
from aegis.config.faults import ConfigFaults, Fault
from aegis.config.file import Override

_SYMBOL = re.compile(r"[A-Z0-9]+/[A-Z0-9]+")

OWN_KEYS = {
    "mode": "it trades on paper",
    "market.source": "it replays the files of --data",
    "market.path": "the files are those of --data",
    "market.speed": "it goes as fast as it can",
    "store.path": "its store is thrown away, or kept by --keep",
    "log.path": "it writes no log",
    "log.level": "it writes no log",
    "backup.path": "nobody backs it up",
    "backup.copy_to": "nobody backs it up",
    "notify.telegram.enabled": "it tells nobody",
    "notify.webhook.enabled": "it tells nobody",
}
"""What a backtest says of itself, and why it may not be set."""


def overrides_of(
    data: Sequence[str], settings: Sequence[str], *, store: Path, log: Path
) -> tuple[Override, ...]:
    """Return the settings of a backtest, or raise `ConfigFaults` for options that are none."""
    own: dict[str, object] = {
        "mode": "paper",
        "market.source": "replay",
        "market.speed": 0,
        "store.path": str(store),
        "log.path": str(log),
        "log.level": "warning",
        "backup.path": str(log.parent / "backups"),
        "notify.telegram.enabled": False,
        "notify.webhook.enabled": False,
    }
    faults = (*_faults_of_data(data), *faults_of_settings(settings, OWN_KEYS, "a backtest"))
    if faults:
        raise ConfigFaults(faults)
    return (
        *(Override(option="backtest", key=key, value=value) for key, value in own.items()),
        *overrides_of_settings(settings),
        *_overrides_of_data(data),
    )


def _overrides_of_data(data: Sequence[str]) -> Iterator[Override]:
    """Yield the files, below the working folder, and the symbols where these were given."""
    named = [_named(each) for each in data]
    paths = [str(Path.cwd() / path) for _, path in named]
    yield Override(option="--data", key="market.path", value=paths)
    if named[0][0]:
        symbols = [symbol for symbol, _ in named]
        yield Override(option="--data", key="exchange.symbols", value=symbols)


def _faults_of_data(data: Sequence[str]) -> Iterator[Fault]:
    named = [_named(each) for each in data]
    if any(not path for _, path in named):
        yield Fault("--data", "", "expected a file, as candles.csv or BTC/USDT=candles.csv")
    elif len({bool(symbol) for symbol, _ in named}) > 1:
        yield Fault("--data", "", "expected SYMBOL= before each file or before none")


def _named(data: str) -> tuple[str, str]:
    """Return the symbol, empty where none is named, and the file.

    A name of a file may hold an equals sign, too.
    """
    symbol, equals, path = data.partition("=")
    is_named = equals and (_SYMBOL.fullmatch(symbol) or not Path(data).exists())
    return (symbol, path) if is_named else ("", data)
