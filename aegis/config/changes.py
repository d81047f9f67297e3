"""What differs between two configurations, and which of it can take effect at once.

Pure. What a running AEGIS cannot change is what was opened, composed or recorded by it: files,
market, exchange, the strategy and the supervisor's patience. That takes a start.
"""

from __future__ import annotations

from aegis.config.model import Config
from aegis.config.text import toml

LIVE = frozenset({"log.level", "sizing", "risk", "reconcile", "diagnose"})
"""Settings, and whole sections, that a running AEGIS takes over."""

NOT_LIVE = frozenset({"risk.exchange_stop"})


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
    section, _, name = key.partition(".")
    if section == "secrets":
        return key
    before, after = getattr(old, section), getattr(new, section)
    if name:
        before, after = getattr(before, name), getattr(after, name)
    return f"{key}: {_written(before)} -> {_written(after)}"


def _written(value: object) -> str:
    return "none" if value is None else toml(value)
