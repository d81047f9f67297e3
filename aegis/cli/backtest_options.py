"""What `backtest` is given, as settings: files and their symbols, and `--set key=value`.

Invariants:
1. Every option that means nothing is told, all of them at once, under its own name.
2. What makes a run a backtest (paper, replay, speed 0, its own store and log) nobody can set.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from aegis.config.faults import ConfigFaults, Fault
from aegis.config.file import Override, literal

_SYMBOL = re.compile(r"[A-Z0-9]+/[A-Z0-9]+")

OWN_KEYS = {
    "mode": "it trades on paper",
    "market.source": "it replays the files of --data",
    "market.path": "the files are those of --data",
    "market.speed": "it goes as fast as it can",
    "store.path": "its store is thrown away, or kept by --keep",
    "log.path": "it writes no log",
    "log.level": "it writes no log",
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
        "notify.telegram.enabled": False,
        "notify.webhook.enabled": False,
    }
    faults = (*_faults_of_data(data), *map(_fault_of_setting, settings))
    if found := tuple(fault for fault in faults if fault is not None):
        raise ConfigFaults(found)
    return (
        *(Override(option="backtest", key=key, value=value) for key, value in own.items()),
        *map(_override_of, settings),
        *_overrides_of_data(data),
    )


def _override_of(setting: str) -> Override:
    key, _, value = setting.partition("=")
    return Override(option=f"--set {key.strip()}", key=key.strip(), value=literal(value.strip()))


def _fault_of_setting(setting: str) -> Fault | None:
    key, equals, _ = setting.partition("=")
    if not (equals and key.strip()):
        return Fault("--set", "", f"expected key=value, was {setting!r}")
    reason = OWN_KEYS.get(key.strip())
    if reason is None:
        return None
    return Fault(f"--set {key.strip()}", "", f"a backtest says this itself: {reason}")


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
