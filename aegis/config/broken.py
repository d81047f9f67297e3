"""What a rule between settings is given, and what it returns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import msgspec

from aegis.config.model import Config
from aegis.config.text import KeyPath


class Names(msgspec.Struct, frozen=True):
    """What only the doors know: the exchanges, and whether a strategy takes its settings.

    `strategies` is given a name and its settings, and returns None or what is wrong; where that
    begins with the name of a setting and a colon, the fault is told at that setting.
    `proven` exchanges may be traded on live, `sandboxes` have a place to practise in,
    and some lack candles of some length.
    `is_trading` says that secrets must be there: a look at a store does without.
    """

    exchanges: Collection[str]
    strategies: Callable[[str, Mapping[str, object]], str | None]
    proven: Collection[str] = ()
    sandboxes: Collection[str] = ()
    timeframes_lacking: Mapping[str, Collection[str]] = {}
    is_trading: bool = True


class Broken(msgspec.Struct, frozen=True):
    """A rule that does not hold: the setting to tell it at, and what to say."""

    path: KeyPath
    text: str
    was: tuple[object, ...] = ()


Rule = Callable[[Config, Names], Broken | None]
