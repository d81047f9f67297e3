"""The way from config.toml and the environment to a `Config`.

Invariants:
1. All faults are found in one go; one does not hide another.
2. A `Config` that `load` returned is right as a whole, and its paths are absolute.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from aegis.config.broken import Names
from aegis.config.faults import ConfigFaults, Fault
from aegis.config.model import TABLES, Config, build, setting_paths
from aegis.config.paths import judge_paths
from aegis.config.reading import LIVE_VARIABLE, Keys, Override, Reading, literal, read
from aegis.config.rules import judge

__all__ = [
    "LIVE_VARIABLE",
    "Config",
    "ConfigFaults",
    "Fault",
    "Names",
    "Override",
    "literal",
    "load",
]

_COINS, _PARAMS = TABLES
KEYS = Keys(
    plain=setting_paths() - set(TABLES),
    tables={_COINS: str.upper, _PARAMS: str.lower},
)


def load(
    path: Path, environ: Mapping[str, str], *, names: Names, overrides: Sequence[Override] = ()
) -> Config:
    """Return the configuration of a file and an environment, or raise `ConfigFaults`.

    `overrides` are settings of the command line, which win over both.

    Paths in it are relative to the folder of the file. A missing key or section takes its
    default; a missing file is a fault.
    """
    reading = read(path, environ, KEYS, overrides)
    config = _absolute(_config_of(reading), Path(os.path.realpath(path.parent)))
    if reading.is_whole:
        judge(config, names, reading.notebook)
        judge_paths(config, path, reading.notebook)
    if faults := reading.notebook.faults():
        raise ConfigFaults(faults)
    return config


def _config_of(reading: Reading) -> Config:
    """Return what was read, with the default in place of each value that cannot be taken."""
    values = {**reading.values, "secrets": reading.secrets}
    built = build(values)
    if isinstance(built, Config):
        return built
    for misfit in built:
        reading.notebook.expected(misfit.path, misfit.expected, misfit.was)
        section = values[misfit.path[0]]
        if len(misfit.path) > 1 and isinstance(section, dict):
            section.pop(misfit.path[1], None)
        else:
            del values[misfit.path[0]]
    rest = build(values)
    assert isinstance(rest, Config), f"Expected the rest to be right, was {rest}"
    return rest


def _absolute(config: Config, folder: Path) -> Config:
    def below(path: Path) -> Path:
        return Path(os.path.realpath(folder / path))

    market, backup = config.market, config.backup
    places = {
        "path": below(backup.path),
        "copy_to": None if backup.copy_to is None else below(backup.copy_to),
    }
    return config.model_copy(
        update={
            "store": config.store.model_copy(update={"path": below(config.store.path)}),
            "log": config.log.model_copy(update={"path": below(config.log.path)}),
            "market": market.model_copy(update={"path": tuple(map(below, market.path))}),
            "backup": backup.model_copy(update=places),
        }
    )
