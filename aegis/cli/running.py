"""`run`: the log on the console or a bar, the run itself, and what it has come to."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Protocol

from aegis.cli.codes import Trouble, expected_errors, trouble_of
from aegis.cli.loading import loading
from aegis.cli.output import (
    Progress,
    complain,
    pairs,
    shown_progress,
    stdout_kept_for_data,
    tell,
    tell_json,
)
from aegis.cli.settings import Rereading, folder_of
from aegis.cli.summary import (
    Ending,
    Result,
    replay_json,
    replay_rows,
    totals_json,
    totals_rows,
)
from aegis.clock import wall_text
from aegis.config.model import Config
from aegis.config.rerun import Rerun
from aegis.domain.account import TradingState
from aegis.domain.candles import Candle
from aegis.domain.statistics.summary import summarize
from aegis.exchange.replay import ReplayFile
from aegis.log.logger import Level, Log, configure
from aegis.service import Service


class Outcome(Protocol):
    """How a run ended; see `supervisors.runs.Run`."""

    @property
    def exit_code(self) -> int: ...

    @property
    def reason(self) -> str: ...

    @property
    def is_early(self) -> bool: ...

    @property
    def files(self) -> tuple[ReplayFile, ...]: ...

    @property
    def candles(self) -> tuple[Candle, ...]: ...

    @property
    def candles_done(self) -> int: ...

    @property
    def seconds(self) -> float: ...


class Start(Protocol):
    """What runs AEGIS to its end; raises what opening raises."""

    def __call__(
        self,
        config: Config,
        *,
        folder: Path,
        log: Log,
        progress: Callable[[int, int], None],
        reread: Callable[[], Config | None] = ...,
        before_abort: Callable[[], None] = ...,
        service: Service = ...,
        is_kept: bool = ...,
        rerun: Rerun | None = ...,
    ) -> Outcome: ...


def run_and_tell(config: Config, path: Path, engine: Callable[[], Start], *, is_json: bool) -> int:
    """Run as configured, then show what it has come to; `path` is the config file."""
    is_quick = config.market.speed == 0
    bar: AbstractContextManager[Progress] = (
        shown_progress("Candles") if is_quick else nullcontext(_no_progress)
    )
    with bar as progress:  # the log's console is what stderr is while the bar is there
        log = log_of(config, console_level="warning" if is_quick else "debug")
        try:
            with stdout_kept_for_data():
                with loading():
                    start = engine()
                outcome = start(
                    config,
                    folder=folder_of(path),
                    log=log,
                    progress=progress,
                    reread=Rereading(config, path, os.environ, log),
                    service=Service(os.environ, os.getpid()),
                )
        finally:
            log.close()
    trouble = _tell_ending(config, outcome, is_json=is_json)
    if trouble is not None:
        complain(*trouble.lines)
        return outcome.exit_code or trouble.code
    return outcome.exit_code


def _no_progress(_done: int, _total: int) -> None:
    """Show nothing: the log tells what happens."""


def log_of(config: Config, *, console_level: Level = "debug") -> Log:
    """Return the log as configured; a person sees of it what has a level or a higher one."""
    log = configure(
        config.log.path,
        config.log.level,
        config.log.rotate_mb,
        config.log.keep,
        console=sys.stderr,
        now_text=wall_text,
        console_level=console_level,
    )
    for secret in config.secrets.given():
        log.register_secret(secret.reveal())
    return log


def _tell_ending(config: Config, outcome: Outcome, *, is_json: bool) -> Trouble | None:
    """Show what the store holds now, or return why it cannot be read."""
    try:
        if config.market.speed == 0:
            _tell_replay(config, outcome, is_json=is_json)
        else:
            _tell_totals(config, outcome, is_json=is_json)
    except expected_errors() as error:
        return trouble_of(error, config.store.path)
    return None


def _tell_replay(config: Config, outcome: Outcome, *, is_json: bool) -> None:
    result = result_of(config, outcome)
    done, seconds = outcome.candles_done, outcome.seconds
    if is_json:
        tell_json(replay_json(result, candles=done, seconds=seconds))
    else:
        tell(pairs(replay_rows(result, candles=done, seconds=seconds)))


def result_of(config: Config, outcome: Outcome) -> Result:
    """Return what a run at speed 0 has come to, as its store has it."""
    from aegis.store.measuring import read_measures

    ending = _ending(config, outcome)
    found = read_measures(config.store.path, config.exchange.quote)
    summary = summarize(
        found.closed,
        alive=found.alive,
        path=found.path,
        candles=outcome.candles,
        spread_bps=config.paper.spread_bps,
    )
    return Result(ending=ending, closed=found.closed, refused=found.refused, summary=summary)


def _tell_totals(config: Config, outcome: Outcome, *, is_json: bool) -> None:
    from aegis.store.reading import read_totals

    ending, totals = _ending(config, outcome), read_totals(config.store.path)
    figures = {"pnl": totals.pnl, "fees": totals.fees}
    if is_json:
        tell_json(totals_json(ending, trades=totals.trades, **figures))
    else:
        tell(pairs(totals_rows(ending, trades=totals.trades, **figures)))


def _ending(config: Config, outcome: Outcome) -> Ending:
    from aegis.store.reading import read_status

    status = read_status(config.store.path)
    account = status.account
    is_halted = account.trading_state is not TradingState.ACTIVE
    return Ending(
        reason=outcome.reason,
        trading_state=account.trading_state,
        halted_because=(account.reason or account.cause) if is_halted else "",
        quote=config.exchange.quote,
        left_open=status.positions,
        orders_unsettled=status.orders_unsettled,
        events=status.events,
        head_hash=status.head_hash,
        stops_at_exchange=status.stops_at_exchange,
    )
