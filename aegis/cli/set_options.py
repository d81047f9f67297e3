"""`--set KEY=VALUE`, repeated: settings of the command line for one run alone.

Invariant: every option that means nothing is told, all of them at once, under its own name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from aegis.config.faults import Fault
from aegis.config.file import Override, literal


def faults_of_settings(
    settings: Iterable[str], own: Mapping[str, str], who: str
) -> Iterator[Fault]:
    """Yield what is wrong with `--set` options; `own` are keys that nobody may set, and why."""
    for setting in settings:
        key, equals, _ = setting.partition("=")
        reason = own.get(key.strip())
        if not (equals and key.strip()):
            yield Fault("--set", "", f"expected key=value, was {setting!r}")
        elif reason is not None:
            yield Fault(f"--set {key.strip()}", "", f"{who} says this itself: {reason}")


def overrides_of_settings(settings: Iterable[str]) -> tuple[Override, ...]:
    """Return settings without a fault of their shape as the command line's word on their keys."""
    parts = ((key.strip(), value.strip()) for key, _, value in map(_parted, settings))
    return tuple(
        Override(option=f"--set {key}", key=key, value=literal(value)) for key, value in parts
    )


def _parted(setting: str) -> tuple[str, str, str]:
    return setting.partition("=")
