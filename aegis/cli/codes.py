"""What the process exits with, and the lines that tell a person why.

Invariant: whatever a person can get wrong is a `Trouble` with one line for each mistake, never
a traceback. An exception that is not expected here is a bug of ours, and keeps its traceback.
"""

from __future__ import annotations

import errno
import os
from enum import IntEnum
from pathlib import Path

import msgspec


class Code(IntEnum):
    """The exit codes; those from 64 on are those of sysexits.h."""

    DONE = 0
    NO = 1  # an internal error, or the answer is no
    USAGE = 2
    CORRUPT = 65
    UNAVAILABLE = 69
    BUSY = 75
    NO_PERMISSION = 77
    CONFIG = 78
    INTERRUPTED = 130  # as a shell counts SIGINT


_WRONG_PATHS = (FileExistsError, FileNotFoundError, NotADirectoryError)
"""What making a folder says where none can be."""


class Trouble(msgspec.Struct, frozen=True):
    """Why a command cannot be carried out, and what to exit with."""

    code: Code
    lines: tuple[str, ...]


def expected_errors() -> tuple[type[Exception], ...]:
    """Return the exceptions that `trouble_of` has words for.

    A function, so that the doors load only when one of them has raised.
    """
    from aegis.archive.errors import ArchiveError
    from aegis.cli.position_file import PositionFileFaults
    from aegis.config.faults import ConfigFaults
    from aegis.exchange.live.errors import ExchangeError
    from aegis.exchange.paper_ledger import LedgerError
    from aegis.exchange.replay import ReplayFaults
    from aegis.store.errors import StoreError
    from aegis.strategy_loader import StrategyFault

    return (
        ArchiveError,
        ConfigFaults,
        ExchangeError,
        LedgerError,
        PositionFileFaults,
        ReplayFaults,
        StoreError,
        StrategyFault,
        OSError,
    )


def trouble_of(error: Exception, store: Path | None = None) -> Trouble:
    """Return an expected exception as lines and an exit code; `store` is the one in use."""
    from aegis.archive.errors import ArchiveBusyError, ArchiveError
    from aegis.cli.position_file import PositionFileFaults
    from aegis.config.faults import ConfigFaults
    from aegis.exchange.live.errors import ExchangeUnavailableError, KeyDeniedError
    from aegis.exchange.paper_ledger import LedgerError, LedgerMismatchError
    from aegis.exchange.replay import ReplayFaults
    from aegis.store import errors
    from aegis.strategy_loader import StrategyFault

    lines = tuple(str(error).splitlines())
    match error:
        case ConfigFaults() | PositionFileFaults() | ReplayFaults() | StrategyFault():
            return Trouble(Code.CONFIG, lines)
        case errors.StoreForeign() | errors.StoreTooNew() | errors.StoreUnguarded():
            return Trouble(Code.CONFIG, lines)
        case LedgerMismatchError():
            return Trouble(Code.CONFIG, lines)
        case ExchangeUnavailableError():
            return Trouble(Code.UNAVAILABLE, lines)
        case KeyDeniedError():
            return Trouble(Code.NO_PERMISSION, lines)
        case ArchiveBusyError():
            return Trouble(Code.BUSY, lines)
        case ArchiveError():
            return Trouble(Code.NO, lines)
        case errors.StoreBusy():
            return Trouble(Code.BUSY, (_busy_line(error.pid, error.path),))
        case errors.StoreCorrupt():
            return Trouble(Code.CORRUPT, lines)
        case errors.StoreError() | LedgerError():
            return _trouble_of_disk(error, lines, store)
        case OSError():
            return _trouble_of_file(error)
        case _:
            raise AssertionError(f"Expected one of expected_errors, was {error!r}")


def _busy_line(pid: int | None, store: Path) -> str:
    from aegis.cli.wording import shown

    holder = "pid unknown" if pid is None else f"pid {pid}"
    return f"Another AEGIS ({holder}) uses {shown(store)}"


def _trouble_of_disk(error: Exception, lines: tuple[str, ...], store: Path | None) -> Trouble:
    """Return what the disk said no to; a door's own exception may carry the system's."""
    from aegis.store.errors import StoreFailed

    cause = error.__cause__
    is_opening = isinstance(error, StoreFailed) and error.operation == "open"
    if is_opening and isinstance(cause, _WRONG_PATHS):
        place = f"{cause.filename}: {cause.strerror}"
        return Trouble(
            Code.CONFIG, (f"store.path: expected a folder that can be made, was {place}",)
        )
    if isinstance(cause, OSError):
        return _trouble_of_file(cause)
    for path in () if store is None else (store, store.parent):
        if os.path.lexists(path) and not os.access(path, os.R_OK | os.W_OK):
            text = f"{path}: expected to read and write it, may not"
            return Trouble(Code.NO_PERMISSION, (text,))
    return Trouble(Code.NO, lines)


def _trouble_of_file(error: OSError) -> Trouble:
    is_refused = isinstance(error, PermissionError) or error.errno == errno.EROFS
    what = f"{error.filename}: " if error.filename is not None else ""
    text = error.strerror or str(error) or type(error).__name__
    return Trouble(Code.NO_PERMISSION if is_refused else Code.NO, (f"{what}{text}",))
