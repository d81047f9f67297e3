"""From `--config` and the environment to a `Config`, and what has changed since.

The file is the one that was named; else `config.toml` in the working folder, if there is one;
else the one beside run.py. So a folder of one's own has its own settings, store and log, and
`python run.py` works from anywhere.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial, reduce
from pathlib import Path
from typing import TYPE_CHECKING

from aegis.cli.output import stdout_kept_for_data

if TYPE_CHECKING:
    from aegis.config.file import Override
    from aegis.config.model import Config
    from aegis.log.logger import Log
    from aegis.strategy_loader import Shield

FILE_NAME = "config.toml"

Judge = Callable[[str, Mapping[str, object]], str | None]


def config_path(named: Path | None, beside: Path) -> Path:
    """Return the file that holds the settings; `beside` is the folder of run.py."""
    if named is not None:
        return named
    here = Path(FILE_NAME)
    return here if os.path.lexists(here) else beside / FILE_NAME


def load_config(
    path: Path,
    environ: Mapping[str, str],
    *,
    is_trading: bool,
    shield: Shield,
    overrides: Sequence[Override] = (),
) -> Config:
    """Return the settings, or raise `ConfigFaults` with all that is wrong.

    `overrides` are settings of the command line, which have the last word.

    Only who trades loads the strategy: a look at the store must not run a person's own module,
    nor fail when that is broken.
    """
    from aegis.strategy_loader import fault_of_strategy

    judge: Judge = _no_fault
    if is_trading:
        judge = partial(fault_of_strategy, folder=folder_of(path), shield=shield)
    with stdout_kept_for_data():
        return _load(path, environ, judge, overrides, is_trading=is_trading)


def is_live_meant(environ: Mapping[str, str], *, is_told: bool) -> bool:
    """Say whether whoever starts it consents to live trading: by `--live`, or by the variable."""
    from aegis.config.reading import LIVE_VARIABLE

    return is_told or environ.get(LIVE_VARIABLE) == "1"


def folder_of(path: Path) -> Path:
    """Return the folder of a config file: where its relative paths and strategies begin."""
    return path.resolve().parent


def differing(config: Config) -> dict[str, object]:
    """Return the settings that are not at their default, by dotted key; no secrets."""
    from aegis.config.changes import changed_keys

    found: dict[str, object] = {}
    for key in changed_keys(type(config)(), config):
        if not key.startswith("secrets."):
            found[key] = reduce(getattr, key.split("."), config)
    return found


class Rereading:
    """What SIGHUP does: the file is read again, and what can take effect at once does.

    It remembers what applies. A file with a fault changes nothing, now or later, until it is
    mended. A person's own strategy is not run here: it could hold up, or end, the AEGIS that
    trades.
    """

    def __init__(self, config: Config, path: Path, environ: Mapping[str, str], log: Log) -> None:
        self._config = config
        self._path = path
        self._environ = environ
        self._log = log

    def __call__(self) -> Config | None:
        """Return the configuration that applies from now on, or None where it is the old one.

        A run at speed 0 goes on as it began: its result belongs to one configuration.
        """
        from aegis.config.changes import applied, changed_keys, told

        old, new = self._config, self._read()
        if new is None:
            return None
        is_taken = old.market.speed > 0
        self._config = applied(old, new) if is_taken else old
        self._log.set_level(self._config.log.level)
        now, later = changed_keys(old, self._config), changed_keys(self._config, new)
        self._log(
            "ConfigRead",
            path=self._path,
            changed=[told(key, old, new) for key in now],
            at_next_start=[told(key, old, new) for key in later],
        )
        return self._config if now else None

    def _read(self) -> Config | None:
        from aegis.config.consents import missing_consents
        from aegis.config.faults import ConfigFaults
        from aegis.strategy_loader import fault_of_name

        try:
            judge = partial(fault_of_name, folder=folder_of(self._path), shield=_run_plainly)
            new = _load(self._path, self._environ, judge, is_trading=True)
        except (ConfigFaults, OSError) as error:
            self._keep(str(error).splitlines())
            return None
        if (missing := missing_consents(new, is_live_meant=True)) is not None:
            self._keep([missing])
            return None
        for secret in new.secrets.given():
            self._log.register_secret(secret.reveal())
        return new

    def _keep(self, faults: list[str]) -> None:
        self._log("ConfigKept", level="warning", path=self._path, faults=faults)


def _run_plainly(code: Callable[[], object]) -> object:
    """Run code of our own: a built-in strategy raises nothing but what it says."""
    return code()


def _load(
    path: Path,
    environ: Mapping[str, str],
    judge: Judge,
    overrides: Sequence[Override] = (),
    *,
    is_trading: bool,
) -> Config:
    from aegis.config.file import Names, load
    from aegis.exchange.listed import EXCHANGES, PROVEN, SANDBOXES, TIMEFRAMES_LACKING

    names = Names(
        exchanges=EXCHANGES,
        strategies=judge,
        proven=PROVEN,
        sandboxes=SANDBOXES,
        timeframes_lacking=TIMEFRAMES_LACKING,
        is_trading=is_trading,
    )
    return load(path, environ, names=names, overrides=overrides)


def _no_fault(_name: str, _settings: Mapping[str, object]) -> str | None:
    return None
