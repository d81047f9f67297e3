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
from hashlib import sha256
from inspect import signature
from pathlib import Path
from typing import Any, TypeVar, cast

from aegis.domain.strategies import Strategy
from aegis.domain.strategies.ema_cross import EmaCross
from aegis.domain.strategies.metronome import Metronome
from aegis.domain.strategies.rsi_reversion import RsiReversion
from aegis.ports import Raised

BUILT_IN: Mapping[str, type[Any]] = {
    "ema_cross": EmaCross,
    "rsi_reversion": RsiReversion,
    "metronome": Metronome,
}

WARMUP_MAX = 5_000
PERIOD_S_MAX = 365 * 86_400

T = TypeVar("T")
Shield = Callable[[Callable[[], object]], object]


class StrategyFault(ValueError):  # noqa: N818  it is a fault of the configuration
    """A strategy that cannot be had, or does not take its parameters; the text says why."""


def strategy_maker(
    name: str, params: Mapping[str, object], folder: Path, shield: Shield
) -> Callable[[], Strategy]:
    """Return what makes one instance of the named strategy; raises `StrategyFault`, as that does.

    `folder` is where a person's own modules are looked for first. `shield` runs a function and
    returns its value, or `Raised` whatever it raised: code that we did not write may exit, too.
    """
    kind = _class_of(name, folder, shield)

    def made() -> Strategy:
        try:
            signature(kind).bind(params)
        except TypeError as fault:
            raise StrategyFault(f"{name}: expected __init__(self, params): {fault}") from fault
        strategy: Strategy = kind(params)
        for wrong in _misfits(strategy):
            raise StrategyFault(f"{name}: {wrong}")
        return strategy

    def make() -> Strategy:
        return _shielded(shield, made, f"{name}: ", " while it was made")

    make()
    return make


def fault_of_strategy(
    name: str, params: Mapping[str, object], folder: Path, shield: Shield
) -> str | None:
    """Return why a strategy cannot be had, or None."""
    try:
        strategy_maker(name, params, folder, shield)
    except StrategyFault as fault:
        return str(fault)
    return None


def fault_of_name(
    name: str, params: Mapping[str, object], folder: Path, shield: Shield
) -> str | None:
    """Return what is wrong with a strategy as far as that can be told without a person's code."""
    if ":" in name:
        return None if all(name.partition(":")) else _unknown(name)
    return fault_of_strategy(name, params, folder, shield)


def code_of(name: str, folder: Path) -> str:
    """Return the SHA-256 of the module that a person's strategy is in; nothing for a built-in.

    Nothing is run. A module that is elsewhere, or a package, has none either.
    """
    module, colon, _ = name.partition(":")
    file = folder.joinpath(*module.split(".")).with_suffix(".py")
    return sha256(file.read_bytes()).hexdigest() if colon and file.is_file() else ""


def _class_of(name: str, folder: Path, shield: Shield) -> type[Any]:
    if name in BUILT_IN:
        return BUILT_IN[name]
    module_name, _colon, class_name = name.partition(":")
    if not (module_name and class_name):
        raise StrategyFault(_unknown(name))
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

    def found() -> object:
        return getattr(importlib.import_module(module_name), class_name, None)

    kind = _shielded(shield, found, f"cannot import {module_name}: ", f" (looked in {folder})")
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


def _shielded(shield: Shield, code: Callable[[], T], before: str, after: str) -> T:
    """Run a person's code; whatever it raises is a fault of the configuration, on one line."""

    def told() -> T | StrategyFault:
        try:
            return code()
        except SyntaxError as fault:
            place = f"{Path(fault.filename or '').name}:{fault.lineno}"
            return StrategyFault(f"{before}{fault.msg}, at {place}{after}")
        except ImportError as fault:
            return StrategyFault(f"{before}{fault}{after}")
        except ValueError as fault:  # what a strategy has to say of its parameters
            return StrategyFault(str(fault) or f"{before}ValueError{after}")

    outcome = shield(told)
    if isinstance(outcome, Raised):
        outcome = StrategyFault(f"{before}{outcome.error}{after}")
    if isinstance(outcome, StrategyFault):
        lines = str(outcome).splitlines()
        raise StrategyFault("; ".join(line.strip() for line in lines if line.strip()))
    return cast("T", outcome)
