"""`backtest`: one run over candles of the past, in a store that is thrown away or kept.

Invariant: nothing outside of its own folder is written but the store that `--keep` names.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from aegis.cli.backtest_options import OWN_KEYS
from aegis.cli.codes import Code
from aegis.cli.output import complain, pairs, shown_progress, stdout_kept_for_data, tell, tell_json
from aegis.cli.running import Outcome, log_of, result_of
from aegis.cli.session import Given
from aegis.cli.settings import differing, folder_of
from aegis.cli.summary import Result, replay_json, replay_rows
from aegis.cli.thrown_away import discard
from aegis.cli.warned import warnings_of
from aegis.cli.wording import counted, moment, shown
from aegis.config.faults import ConfigFaults, Fault
from aegis.config.model import Config
from aegis.config.text import toml
from aegis.domain.instants import text_of
from aegis.domain.money import ratio, text
from aegis.domain.position import Position
from aegis.exchange.replay import ReplayFile

HASH_SHOWN = 12

_BESIDE = ("", "-wal", "-shm", ".lock", ".mark", ".paper")
"""What a store has beside it; any of it is somebody's."""


def expect_nothing_at(store: Path) -> None:
    """Raise `ConfigFaults` where a store is to be kept and something is in the way."""
    if not store.name or store.name == "..":
        raise ConfigFaults((Fault("--keep", "", f"expected a file's path, was {str(store)!r}"),))
    for ending in _BESIDE:
        found = store.with_name(store.name + ending)
        if found.is_symlink() or found.exists():
            text = f"expected a path where nothing is, was {str(found)!r}, which exists"
            raise ConfigFaults((Fault("--keep", "", text),))


def try_out(config: Config, given: Given, folder: Path, *, is_kept: bool) -> int:
    """Run over the candles, then show what came of it; Ctrl-C shows what came of it so far."""
    with shown_progress("Candles") as progress:  # the log's console is what stderr is then
        log = log_of(config, console_level="error")
        try:
            with stdout_kept_for_data():
                outcome = given.engine()(
                    config,
                    folder=folder_of(given.path),
                    log=log,
                    progress=progress,
                    before_abort=partial(discard, folder),
                    is_kept=is_kept,
                )
        finally:
            log.close()
    complain(*warnings_of(config.log.path))
    result = result_of(config, outcome)
    if given.is_json:
        tell_json(_as_json(config, outcome, result))
    else:
        tell(pairs(_as_rows(config, outcome, result, is_kept=is_kept)))
    return outcome.exit_code or (Code.INTERRUPTED if outcome.is_early else Code.DONE)


def _as_json(config: Config, outcome: Outcome, result: Result) -> dict[str, object]:
    figures = replay_json(result, candles=outcome.candles_done, seconds=outcome.seconds)
    return {
        **figures,
        "is_early": outcome.is_early,
        "closed": [_trade_json(position) for position in result.closed],
        "settings": {key: _plain(value) for key, value in _settings(config).items()},
        "data": [_file_json(file, config) for file in outcome.files],
    }


def _as_rows(
    config: Config, outcome: Outcome, result: Result, *, is_kept: bool
) -> list[tuple[str, str]]:
    settings = ", ".join(f"{key} = {toml(value)}" for key, value in _settings(config).items())
    kept = [("Kept in", shown(config.store.path))] if is_kept else []
    return [
        *replay_rows(result, candles=outcome.candles_done, seconds=outcome.seconds),
        *(("Data", _file_words(file, config)) for file in outcome.files),
        ("Settings", settings or "all at their defaults"),
        *kept,
    ]


def _settings(config: Config) -> Mapping[str, object]:
    """Return what makes this run another than one of the defaults, but for its files."""
    found = differing(config)
    return {key: value for key, value in found.items() if key not in OWN_KEYS}


def _plain(value: object) -> object:
    """Return a setting as JSON can write it; figures become texts by themselves."""
    if isinstance(value, Mapping):
        return dict(value)
    return str(value) if isinstance(value, Path) else value


def _trade_json(trade: Position) -> dict[str, object]:
    """Return a closed trade; prices are the means of its fills, rounded to 34 digits."""
    is_priced = trade.exited > 0
    return {
        "position_id": trade.position_id,
        "symbol": trade.symbol,
        "side": trade.side,
        "opened_at": text_of(trade.opened_at),
        "closed_at": None if trade.closed_at is None else text_of(trade.closed_at),
        "amount": text(trade.entered),
        "entry_price": text(trade.entry_price),
        "exit_price": text(ratio(trade.received, trade.exited)) if is_priced else None,
        "fees": text(trade.fees_quote),
        "pnl": None if trade.is_unpriced else text(trade.pnl),
        "close_reason": trade.close_reason,
    }


def _file_json(file: ReplayFile, config: Config) -> dict[str, object]:
    return {
        "symbol": file.symbol,
        "path": str(file.path),
        "sha256": file.sha256,
        "candles": len(file.candles),
        "begins_at": text_of(file.candles[0].open_at),
        "ends_at": text_of(file.candles[-1].close_at),
        "gaps": len(file.gaps),
        "candles_missing": sum(gap.candles_missing for gap in file.gaps),
        "repeated": file.repeated,
        "volume_in": _volume_coin(file, config),
    }


def _file_words(file: ReplayFile, config: Config) -> str:
    first, last = file.candles[0], file.candles[-1]
    span = f"{moment(first.open_at)} to {moment(last.close_at)}"
    missing = sum(gap.candles_missing for gap in file.gaps)
    gaps = f", {counted(len(file.gaps), 'gap')} ({missing:,} missing)" if file.gaps else ""
    digest = f"sha256 {file.sha256[:HASH_SHOWN]}"
    what = f"{counted(len(file.candles), 'candle')} of {shown(file.path)}"
    coin = _volume_coin(file, config)
    return f"{file.symbol}: {what}, {span}{gaps}, volume in {coin}, {digest}"


def _volume_coin(file: ReplayFile, config: Config) -> str:
    base, _, quote = file.symbol.partition("/")
    return quote if config.market.volume == "quote" else base
