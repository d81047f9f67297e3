"""`what-if`: a recording lived through again in a store that is thrown away, beside the original.

It runs the same actors at speed 0 over the candles that the runs were shown, one leg after
another, and shows what came of it. It must never write to the original.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path

import msgspec

from aegis.cli.codes import Code
from aegis.cli.output import complain, shown_progress, stdout_kept_for_data, tell_json
from aegis.cli.running import log_of
from aegis.cli.session import Given
from aegis.cli.settings import folder_of, load_config
from aegis.cli.thrown_away import discard
from aegis.cli.warned import warnings_of
from aegis.cli.what_if_options import expect_settings, overrides_of_leg
from aegis.cli.what_if_views import Compared, tell_compared
from aegis.cli.wording import counted, no_store_at, shown
from aegis.config.changes import changed_keys, told
from aegis.config.model import Config
from aegis.config.rerun import Rerun
from aegis.domain.candles import Candle
from aegis.domain.contrast import (
    Intent,
    Stray,
    as_of,
    comparable,
    contrasted,
    first_stray,
    flat_from,
)
from aegis.domain.events import name_of
from aegis.domain.ids import NANOS_PER_SECOND, Coin, Instant, Symbol
from aegis.domain.legs import Leg
from aegis.domain.position import Position
from aegis.domain.recorded import Recording
from aegis.domain.way import NoWay, Way, candle_s, symbols_of, way_of
from aegis.store.comparing import Difference, Lived, first_difference, read_lived
from aegis.store.errors import NoStore
from aegis.store.measuring import read_measures
from aegis.store.recording import read_recording
from aegis.strategy_loader import code_of

PAST_END_NS = 600 * NANOS_PER_SECOND
"""A run goes on for a minute after its end, so that orders finish; it needs the candles for it."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a person wants to know: settings to try, and an interval of the market's time."""

    settings: tuple[str, ...]
    begin: Instant | None
    end: Instant | None


class Leader(msgspec.Struct, frozen=True, kw_only=True):
    """What leads through all legs: the way, its candles, and where the throw-away store is."""

    way: Way
    recording: Recording
    asked: Asked
    given: Given
    folder: Path
    balances: Mapping[Coin, Decimal] | None

    def config_of(self, settings: Mapping[str, str], tried: Sequence[str]) -> Config:
        """Return the configuration of recorded settings, with those to try over them."""
        return load_config(
            self.given.path,
            {},
            is_trading=True,
            shield=self.given.shield,
            overrides=overrides_of_leg(settings, tried, self.folder, self.balances),
        )

    def rerun_of(self, leg: Leg) -> Rerun:
        """Return what a leg needs besides its configuration."""
        return Rerun(
            incarnation=leg.incarnation,
            market=leg.market,
            beginnings=leg.beginnings,
            candles={symbol: self._candles(symbol, leg) for symbol in symbols_of(leg)},
            ends_at=leg.ends_at,
            changes=tuple(
                (change.at, self.config_of({**leg.settings, **change.settings}, self.tried))
                for change in leg.changes
            ),
        )

    @property
    def tried(self) -> tuple[str, ...]:
        return self.asked.settings

    def _candles(self, symbol: Symbol, leg: Leg) -> tuple[Candle, ...]:
        series = self.recording.candles.get((symbol, candle_s(leg)), ())
        if leg.ends_at is None:
            return series
        shown_until = leg.ends_at + (0 if leg.is_market_over else PAST_END_NS)
        return tuple(each for each in series if each.open_at < shown_until)


def tell_what_if(config: Config, asked: Asked, given: Given, folder: Path) -> int:
    """Live through the recording of a store again, and show the difference."""
    expect_settings(asked.settings)
    path = config.store.path
    try:
        recording = read_recording(path, asked.begin, _past(asked.end))
    except NoStore:
        return _no(no_store_at(path), given)
    way = way_of(recording, asked.begin, asked.end)
    if isinstance(way, NoWay):
        return _no(f"{shown(path)}: {way.text}", given)
    way = _with_word_on_code(way, folder_of(given.path))
    leader = Leader(
        way=way,
        recording=recording,
        asked=asked,
        given=given,
        folder=folder,
        balances=None if way.begin is None else _balances(config, way.begin),
    )
    code = _lead(leader)
    if code:
        return code
    compared = _compared(leader, path)
    tell_compared(compared, is_json=given.is_json)
    return Code.NO if compared.is_reproduced is False else Code.DONE


def _with_word_on_code(way: Way, folder: Path) -> Way:
    """Return the way with a note where a person's strategy is not the code that it was."""
    names = (leg.settings["strategy.name"].strip('"') for leg in way.legs)
    changed = any(
        leg.code != code_of(name, folder) for leg, name in zip(way.legs, names, strict=True)
    )
    note = "the strategy's code is another one than when it was recorded"
    return msgspec.structs.replace(way, notes=(*way.notes, note)) if changed else way


def _past(end: Instant | None) -> Instant | None:
    return None if end is None else Instant(end + PAST_END_NS)


def _no(reason: str, given: Given) -> Code:
    """Say why there is nothing to compare."""
    if given.is_json:
        tell_json({"is_reproduced": None, "reason": reason})
    complain(reason)
    return Code.NO


def _balances(config: Config, begin: Instant) -> Mapping[Coin, Decimal] | None:
    """Return what the original was worth at an instant, all of it in the quote coin."""
    quote = config.exchange.quote
    with shown_progress("Reading") as progress:
        path = read_measures(config.store.path, quote, since=begin, progress=progress).path
    return None if path is None else {quote: path.first}


def _lead(leader: Leader) -> int:
    """Go through all legs in one store; return what the first one that fails ends with."""
    for leg in leader.way.legs:
        config = leader.config_of(leg.settings, leader.tried)
        rerun = leader.rerun_of(leg)
        with shown_progress("Candles") as progress:
            log = log_of(config, console_level="error")
            try:
                with stdout_kept_for_data():
                    outcome = leader.given.engine()(
                        config,
                        folder=folder_of(leader.given.path),
                        log=log,
                        progress=progress,
                        before_abort=partial(discard, leader.folder),
                        is_kept=False,
                        rerun=rerun,
                    )
            finally:
                log.close()
        if outcome.exit_code or outcome.is_early:
            complain(*warnings_of(config.log.path), f"The what-if ended early: {outcome.reason}")
            return outcome.exit_code or Code.INTERRUPTED
    complain(*warnings_of(config.log.path))
    return Code.DONE


def _compared(leader: Leader, path: Path) -> Compared:
    """Return the original and what was lived through now, beside each other."""
    way = leader.way
    config = leader.config_of(way.legs[-1].settings, ())
    tried = leader.config_of(way.legs[-1].settings, leader.tried)
    original, other = read_lived(path), read_lived(config.store.path)
    notes = (*way.notes, *_notes_on_held(way, original), *_notes_on_words(way, original))
    way = msgspec.structs.replace(way, notes=notes)
    begin = way.begin or Instant(0)
    ours = as_of((*original.closed, *original.alive), begin, way.end)
    theirs = as_of((*other.closed, *other.alive), begin, way.end)
    decisions = _decisions(way, original, other)
    parting = None if leader.tried else _parting(way, path, config.store.path, *decisions)
    return Compared(
        quote=config.exchange.quote,
        way=way,
        candles=way.candles_of(leader.recording),
        changes=tuple(told(key, config, tried) for key in changed_keys(config, tried)),
        is_reproduced=None if leader.tried else parting is None,
        parting=parting,
        decisions=len(decisions[0]),
        events=other.events,
        head_hash=other.head_hash,
        original=tuple(ours),
        other=tuple(theirs),
        pairs=contrasted(ours, theirs, way.slack_ns, has_figures=way.is_repeatable),
    )


def _parting(
    way: Way, path: Path, again: Path, ours: list[Intent], theirs: list[Intent]
) -> Difference | Stray | None:
    """Return where the two logs part, or their decisions where no more can be expected."""
    if not way.is_repeatable or way.begin is not None:
        return first_stray(ours, theirs, way.slack_ns)
    found = first_difference(path, again)
    if found is None or way.end is None or found.original is None:
        return found
    return found if found.original.at < way.end else None


def _decisions(way: Way, original: Lived, other: Lived) -> tuple[list[Intent], list[Intent]]:
    """Return what either side decided on the way, but for what follows from what was held."""
    lives = (*original.closed, *original.alive, *other.closed, *other.alive)
    flat = flat_from(_held(way, original), lives)
    ours, theirs = (
        comparable(side.intents, way.begin or Instant(0), way.end, flat)
        for side in (original, other)
    )
    return ours, theirs


def _held(way: Way, original: Lived) -> list[Position]:
    """Return what the original held where the way begins flat."""
    begin = way.begin
    if begin is None:
        return []
    return [
        each
        for each in (*original.closed, *original.alive)
        if each.entered > 0
        and each.opened_at < begin
        and (each.closed_at is None or each.closed_at >= begin)
    ]


def _notes_on_held(way: Way, original: Lived) -> Iterator[str]:
    held = _held(way, original)
    if held:
        what = f"the original held {counted(len(held), 'position')} then"
        symbols = ", ".join(sorted({each.symbol for each in held}))
        yield (
            f"{what}, which it could not enter again; decisions in {symbols} are compared from "
            "when both sides are flat there"
        )


def _notes_on_words(way: Way, original: Lived) -> Iterator[str]:
    """Yield what people have said to the original: nobody says it again."""
    begin = way.begin or Instant(0)
    words = [
        each for each in original.words if begin <= each.at and not (way.end and each.at >= way.end)
    ]
    if words:
        told = ", ".join(sorted({name_of(each.event) for each in words}))
        times = counted(len(words), "time")
        yield f"what people said or had booked counted {times} and is not lived again: {told}"
