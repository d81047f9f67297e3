"""Strategies by name: the built-in ones, and those of a person's own modules.

The only door to importing code by a name from the configuration. It runs that code; what the
module or the class raises is told as one phrase.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from aegis.domain.strategies import Strategy
from aegis.domain.strategies.ema_cross import EmaCross
from aegis.domain.strategies.metronome import Metronome

BUILT_IN: Mapping[str, type[Any]] = {"ema_cross": EmaCross, "metronome": Metronome}

REQUIRED = ("warmup", "on_candle")

MISTAKES = (
    ArithmeticError, AssertionError, AttributeError, ImportError, LookupError, NameError, OSError,
    RuntimeError, SyntaxError, TypeError, ValueError,
)  # fmt: skip
"""What a person's own code raises when it is wrong; told as a fault, not as a crash of ours."""


class StrategyFault(ValueError):  # noqa: N818  it is a fault of the configuration
    """A strategy that cannot be had, or does not take its parameters; the text says why."""


def strategy_maker(name: str, params: Mapping[str, object], folder: Path) -> Callable[[], Strategy]:
    """Return what makes one instance of the named strategy; raises `StrategyFault`.

    `folder` is where a person's own modules are looked for first.
    """
    kind = _class_of(name, folder)

    def make() -> Strategy:
        strategy: Strategy = kind(params)
        return strategy

    try:
        made = make()
    except ValueError as fault:
        raise StrategyFault(str(fault)) from fault
    except MISTAKES as fault:
        text = f"{name}: {type(fault).__name__} while it was made: {fault}"
        raise StrategyFault(text) from fault
    missing = [each for each in REQUIRED if not hasattr(made, each)]
    if missing:
        raise StrategyFault(f"{name}: expected a strategy, {', '.join(missing)} is missing")
    return make


def fault_of_strategy(name: str, params: Mapping[str, object], folder: Path) -> str | None:
    """Return why a strategy cannot be had, or None."""
    try:
        strategy_maker(name, params, folder)
    except StrategyFault as fault:
        return str(fault)
    return None


def _class_of(name: str, folder: Path) -> type[Any]:
    if name in BUILT_IN:
        return BUILT_IN[name]
    module_name, colon, class_name = name.partition(":")
    if not colon:
        known = ", ".join(BUILT_IN)
        raise StrategyFault(f'expected one of {known}, or "module:Class", was "{name}"')
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    try:
        module = importlib.import_module(module_name)
    except MISTAKES as fault:
        kind_of = "" if isinstance(fault, ImportError) else f"{type(fault).__name__}: "
        text = f"cannot import {module_name}: {kind_of}{fault} (looked in {folder})"
        raise StrategyFault(text) from fault
    kind = getattr(module, class_name, None)
    if not isinstance(kind, type):
        raise StrategyFault(f"{module_name} has no class {class_name}")
    return kind
