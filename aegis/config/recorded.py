"""A configuration as a recording keeps it: every setting that a decision may depend on, as text.

Invariants:
1. No secret is in it, nor whom AEGIS tells of what it does.
2. Where files lie is no decision: of paths only the candles' are kept, to be shown.
"""

from __future__ import annotations

from collections.abc import Iterator

from aegis.config.model import Config, Section
from aegis.config.text import toml

NOT_KEPT = frozenset({"secrets", "notify", "log", "store", "backup"})


def recorded_settings(config: Config) -> dict[str, str]:
    """Return each setting by its dotted key, as TOML."""
    kept = {name: each for name, each in config if name not in NOT_KEPT}
    return {
        "mode": toml(config.mode),
        **{
            key: text
            for name, section in kept.items()
            if isinstance(section, Section)
            for key, text in _written(name, section)
        },
    }


def _written(above: str, section: Section) -> Iterator[tuple[str, str]]:
    for name, value in section:
        if isinstance(value, Section):
            yield from _written(f"{above}.{name}", value)
        else:
            yield f"{above}.{name}", toml(value)
