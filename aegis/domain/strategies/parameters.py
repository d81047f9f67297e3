"""Reading a strategy's parameters: each fault is a ValueError with one clear phrase."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal


def whole_number(
    params: Mapping[str, object], name: str, default: int, *, least: int, most: int
) -> int:
    """Return a whole number from the table, or its default."""
    value = params.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"{name}: expected a whole number {least} to {most}, was {value!r}")
    return value


def figure(
    params: Mapping[str, object], name: str, default: int, *, least: int, most: int
) -> Decimal:
    """Return a number, with decimals or without, from the table, or its default."""
    value = params.get(name, default)
    if (
        isinstance(value, bool)
        or not isinstance(value, int | Decimal)
        or not least <= value <= most
    ):
        raise ValueError(f"{name}: expected a number {least} to {most}, was {_shown(value)}")
    return Decimal(value)


def refuse_unknown(params: Mapping[str, object], known: tuple[str, ...]) -> None:
    """Raise on a parameter that the strategy does not have."""
    unknown = sorted(set(params) - set(known))
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: unknown; expected {', '.join(known)}")


def _shown(value: object) -> str:
    return str(value) if isinstance(value, Decimal) else repr(value)
