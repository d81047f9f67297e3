"""What a run is given by whoever starts it, and what it gives back."""

from __future__ import annotations

import os
from collections.abc import Callable

import msgspec

from aegis import __version__
from aegis.config.model import Config, describe
from aegis.config.rerun import Rerun
from aegis.domain.candles import Candle
from aegis.exchange.replay import ReplayFile
from aegis.log.logger import Log
from aegis.service import Service
from supervisors.paper_desk import Faults
from supervisors.system import System

Progress = Callable[[int, int], None]
Reread = Callable[[], Config | None]


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended.

    At speed 0 also the market's candles, how many of them it went through, and the real seconds;
    `is_early` where it did not come to their end.
    """

    exit_code: int
    reason: str
    is_early: bool = False
    files: tuple[ReplayFile, ...] = ()
    candles: tuple[Candle, ...] = ()
    candles_done: int = 0
    seconds: float = 0.0


class Outside(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a run tells, and what is done to it."""

    log: Log
    progress: Progress
    reread: Reread
    before_abort: Callable[[], None]
    faults: Faults
    service: Service
    is_kept: bool
    rerun: Rerun | None


def keep_config() -> None:
    """Go on as configured, where nobody can read the configuration again."""


def tell_start(system: System, log: Log) -> None:
    """Say what begins; `health` looks for it, so that no earlier life's heartbeat counts."""
    log("Starting", version=__version__, pid=os.getpid(), runs=describe(system.config))
