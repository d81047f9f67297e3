"""Strategies by name: the built-in ones, and those of a person's own modules.

The only door to importing code by a name from the configuration. It runs that code, and only
where AEGIS is about to trade or a person asks for it.

Invariants:
1. Whatever that code raises is a `StrategyFault`, told in one line; nothing else comes out.
2. `fault_of_name` runs no code of a person's.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from aegis.domain.strategies import Strategy
from aegis.domain.strategies.ema_cross import EmaCross
from aegis.domain.strategies.metronome import Metronome

BUILT_IN: Mapping[str, type[Any]] = {"ema_cross": EmaCross, "metronome": Metronome}

WARMUP_MAX = 5_000
PERIOD_S_MAX = 365 * 86_400

T = TypeVar("T")


class StrategyFault(ValueError):  # noqa: N818  it is a fault of the configuration
    """A strategy that cannot be had, or does not take its parameters; the text says why."""


def strategy_maker(name: str, params: Mapping[str, object], folder: Path) -> Callable[[], Strategy]:
    """Return what makes one instance of the named strategy; raises `StrategyFault`, as that does.

    `folder` is where a person's own modules are looked for first.
    """
    kind = _class_of(name, folder)

    def made() -> Strategy:
        strategy: Strategy = kind(params)
        for wrong in _misfits(strategy):
            raise StrategyFault(f"{name}: {wrong}")
        return strategy

    def make() -> Strategy:
        return _guarded(made, f"{name}: ", " while it was made", is_value_told_plainly=True)

    make()
    return make


def fault_of_strategy(name: str, params: Mapping[str, object], folder: Path) -> str | None:
    """Return why a strategy cannot be had, or None."""
    try:
        strategy_maker(name, params, folder)
    except StrategyFault as fault:
        return str(fault)
    return None


def fault_of_name(name: str, params: Mapping[str, object], folder: Path) -> str | None:
    """Return what is wrong with a strategy as far as that can be told without a person's code."""
    if ":" in name:
        return None if all(name.partition(":")) else _unknown(name)
    return fault_of_strategy(name, params, folder)


def _class_of(name: str, folder: Path) -> type[Any]:
    if name in BUILT_IN:
        return BUILT_IN[name]
    module_name, _colon, class_name = name.partition(":")
    if not (module_name and class_name):
        raise StrategyFault(_unknown(name))
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

    def found() -> object:
        return getattr(importlib.import_module(module_name), class_name, None)

    kind = _guarded(found, f"cannot import {module_name}: ", f" (looked in {folder})")
    if not isinstance(kind, type):
        raise StrategyFault(f"{module_name} has no class {class_name}")
    return kind


def _unknown(name: str) -> str:
    return f'expected one of {", ".join(BUILT_IN)}, or "module:Class", was "{name}"'


def _misfits(made: Any) -> Iterator[str]:
    """Yield what keeps an object from being a strategy."""
    missing = [each for each in ("warmup", "on_candle") if not hasattr(made, each)]
    if missing:
        yield f"expected a strategy, {', '.join(missing)} is missing"
        return
    if not _is_whole(made.warmup, 0, WARMUP_MAX):
        yield f"expected a whole number from 0 to {WARMUP_MAX} as warmup, was {made.warmup!r}"
    for method in ("on_candle", "on_timer"):
        if not callable(getattr(made, method, _misfits)):
            yield f"expected {method} to be a method, was {getattr(made, method)!r}"
    period_s = getattr(made, "period_s", 1)
    if not _is_whole(period_s, 1, PERIOD_S_MAX):
        yield f"expected a whole number from 1 to {PERIOD_S_MAX} as period_s, was {period_s!r}"


def _is_whole(value: object, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most


def _guarded(
    code: Callable[[], T], before: str, after: str, *, is_value_told_plainly: bool = False
) -> T:
    """Run a person's code; whatever it raises, an exit too, is a fault of the configuration.

    Everything must be caught here: code that we did not write may raise anything, as it may
    in an actor, and no actor is there yet. A signal is not lost: whoever heard it knows.
    """
    try:
        return code()
    except StrategyFault as fault:
        raise StrategyFault(_line(fault)) from None
    except BaseException as fault:
        text = _line(fault)
        if is_value_told_plainly and isinstance(fault, ValueError) and text:
            raise StrategyFault(text) from fault  # what a strategy has to say of its parameters
        kind = "" if isinstance(fault, ImportError) else type(fault).__name__
        told = ": ".join(part for part in (kind, text) if part)
        raise StrategyFault(f"{before}{told}{after}") from fault


def _line(fault: BaseException) -> str:
    """Return what an exception says on one line; it may be of a person's own kind."""
    try:
        text = str(fault)
    except BaseException:  # noqa: BLE001  its own __str__ is a person's code, too
        return "no text"
    return "; ".join(line.strip() for line in text.splitlines() if line.strip())
