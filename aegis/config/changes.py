"""What differs between two configurations, and which of it can take effect at once.

Pure. What a running AEGIS cannot change is what was opened, composed or recorded by it: files,
market, exchange, the strategy and the supervisor's patience. That takes a start.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce

from aegis.config.model import Config, Section
from aegis.config.text import toml

KEYS = frozenset({"secrets.exchange_api_key", "secrets.exchange_secret"})
"""A key that was revoked is replaced without a start, as positions want to be guarded."""

LIVE = frozenset({"log.level", "sizing", "risk", "reconcile", "diagnose"}) | KEYS
"""Settings, and whole sections, that a running AEGIS takes over."""

NOT_LIVE = frozenset({"risk.exchange_stop"})


def changed_keys(old: Config, new: Config) -> tuple[str, ...]:
    """Return the settings that differ, dotted, in the order of the file."""
    return tuple(_changed(old, new, ""))


def _changed(old: Section, new: Section, above: str) -> Iterator[str]:
    for key in type(old).model_fields:
        before, after = getattr(old, key), getattr(new, key)
        if before != after and isinstance(before, Section):
            yield from _changed(before, after, f"{above}{key}.")
        elif before != after:
            yield f"{above}{key}"


def is_live(key: str) -> bool:
    """Say whether a setting takes effect while AEGIS runs."""
    section = key.partition(".")[0]
    return key not in NOT_LIVE and (key in LIVE or section in LIVE)


def applied(old: Config, new: Config) -> Config:
    """Return the old configuration with what of the new one takes effect at once."""
    for key in filter(is_live, changed_keys(old, new)):
        section, _, name = key.partition(".")
        value = getattr(getattr(new, section), name)
        changed = getattr(old, section).model_copy(update={name: value})
        old = old.model_copy(update={section: changed})
    return old


def told(key: str, old: Config, new: Config) -> str:
    """Return a change in words, "risk.stop_loss_pct: 2 -> 3"; a secret's value is in none."""
    if key.startswith("secrets."):
        return key
    before, after = (reduce(getattr, key.split("."), config) for config in (old, new))
    return f"{key}: {_written(before)} -> {_written(after)}"


def _written(value: object) -> str:
    return "none" if value is None else toml(value)
