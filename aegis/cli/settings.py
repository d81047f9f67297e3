"""From `--config` and the environment to a `Config`, and what has changed since.

The file is the one that was named; else `config.toml` in the working folder, if there is one;
else the one beside run.py. So a folder of one's own has its own settings, store and log, and
`python run.py` works from anywhere.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

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
    return _load(path, environ, judge, overrides)


def folder_of(path: Path) -> Path:
    """Return the folder of a config file: where its relative paths and strategies begin."""
    return path.resolve().parent


def changed_keys(old: Config, new: Config) -> tuple[str, ...]:
    """Return the settings that differ, dotted, in the order of the file."""
    changed = []
    for section in type(old).model_fields:
        before, after = getattr(old, section), getattr(new, section)
        if before == after:
            continue
        keys = getattr(type(before), "model_fields", None)
        changed += (
            [section]
            if keys is None
            else [f"{section}.{key}" for key in keys if getattr(before, key) != getattr(after, key)]
        )
    return tuple(changed)


def differing(config: Config) -> dict[str, object]:
    """Return the settings that are not at their default, by dotted key; no secrets."""
    found = {}
    for key in changed_keys(type(config)(), config):
        section, _, name = key.partition(".")
        if section != "secrets":
            value = getattr(config, section)
            found[key] = getattr(value, name) if name else value
    return found


def reread(config: Config, path: Path, environ: Mapping[str, str], log: Log) -> None:
    """Look what a person has changed, and say what becomes of it; nothing changes before a start.

    A file with a fault changes nothing, now or later, until it is mended. A person's own
    strategy is not run here: it could hold up, or end, the AEGIS that trades.
    """
    from aegis.config.faults import ConfigFaults
    from aegis.strategy_loader import fault_of_name

    try:
        judge = partial(fault_of_name, folder=folder_of(path), shield=_run_plainly)
        new = _load(path, environ, judge)
    except (ConfigFaults, OSError) as error:
        log("ConfigKept", level="warning", path=path, faults=str(error).splitlines())
        return
    changed = changed_keys(config, new)
    for secret in new.secrets.given():
        log.register_secret(secret.reveal())
    log("ConfigRead", path=path, changed=changed, takes_effect="at the next start")


def _run_plainly(code: Callable[[], object]) -> object:
    """Run code of our own: a built-in strategy raises nothing but what it says."""
    return code()


def _load(
    path: Path, environ: Mapping[str, str], judge: Judge, overrides: Sequence[Override] = ()
) -> Config:
    from aegis.config.file import Names, load
    from aegis.exchange.listed import EXCHANGES

    names = Names(exchanges=EXCHANGES, strategies=judge)
    return load(path, environ, names=names, overrides=overrides)


def _no_fault(_name: str, _settings: Mapping[str, object]) -> str | None:
    return None
