"""The log: one fact a line, as JSON in the file and as words on the terminal.

It is the only door to structlog, and the end of the libraries' own loggers. It never reads the
time: whoever configures it hands that in as a text.

Invariants:
1. A line is one JSON object: `ts`, `level`, `event`, then the fields in the order given.
2. A registered secret stands in no line: not in a field, a name, an exception or its trace.
3. What cannot be written is counted and told once; it neither raises nor is tried again.
4. A line is flushed when it is written, also into a pipe. A terminal that is held up, or a pipe
   that nobody empties, misses lines and keeps nobody waiting: who logs may be guarding.
"""

from __future__ import annotations

import logging
import select
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import RLock
from typing import Any, Final, Literal, TextIO

from aegis.log.file import BYTES_PER_MB, LogFile, last_of
from aegis.log.lines import Plain, Redactor, as_json, plain, readable, traced
from aegis.packages import open_shallow

open_shallow("structlog")  # as a whole it loads rich and asyncio: 50 ms of a start, and 8 MiB
from structlog._base import BoundLoggerBase  # noqa: E402  only now is it alone

__all__ = ["LIBRARY_EVENT", "LOST_EVENT", "Level", "Log", "configure", "last_of"]

Level = Literal["debug", "info", "warning", "error"]

LIBRARY_EVENT: Final = "LibraryLogged"
"""What a library said through its own logger; on the terminal from warnings on."""

LOST_EVENT: Final = "LogLinesLost"
"""Stands where lines are missing, as soon as the file can be written again."""

ALWAYS: Final = frozenset({"Starting", "Heartbeat"})
"""Lines that stand in the file whatever the level: `health` judges by them."""

_RANKS: Final[Mapping[object, int]] = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_RESERVED: Final = frozenset({"ts", "level", "event"})
_LIBRARIES: Final = ("urllib3", "requests", "ccxt", "pykka")


_PART_CHARS: Final = 1000
"""Of a line, written at once: a pipe with any room has some for 4096 bytes."""

_ROOM_WITHIN_MS: Final = 200
"""How long a console that was not held up may take to have room; a slow reader misses nothing."""


class Log:
    """Takes one fact a line: the event's own name and its fields. Safe from any thread."""

    def __init__(self, bound: _Bound, desk: _Desk) -> None:
        self._bound = bound
        self._desk = desk

    def __call__(self, event: str, /, **fields: object) -> None:
        """Write a fact. `level` is one of the levels, info where none is given.

        A field that is an exception is told in a line, and its way in the field `trace`.
        """
        level = fields.pop("level", "info")
        if event in ALWAYS or _RANKS.get(level, _RANKS["error"]) >= self._desk.rank:
            self._bound.take(str(level), event, _without_reserved(fields))

    def bind(self, **fields: object) -> Log:
        """Return a log that adds these fields to each line."""
        return Log(self._bound.bind(**_without_reserved(fields)), self._desk)

    def set_level(self, level: Level) -> None:
        """Write lines of this level and above from now on."""
        self._desk.rank = _RANKS[level]

    def register_secret(self, text: str) -> None:
        """Keep a text out of every line from now on."""
        self._desk.redactor.add(text)

    @property
    def lost(self) -> int:
        """How many lines the file has missed."""
        return self._desk.lost

    def close(self) -> None:
        """Hand all lines to the disk, and leave the libraries' loggers."""
        for handler in [found for found in logging.root.handlers if isinstance(found, _Bridge)]:
            if handler.desk is self._desk:
                logging.root.removeHandler(handler)
        self._desk.close()


def configure(
    path: Path,
    level: Level,
    rotate_mb: int,
    keep: int,
    *,
    console: TextIO | None,
    now_text: Callable[[], str],
    console_level: Level = "debug",
) -> Log:
    """Return the process's log, and lead what libraries log into it.

    `now_text` gives the wall's time as RFC 3339 in UTC. The console shows lines of
    `console_level` and above, for where a progress bar tells the rest. A file that cannot be
    opened is told on the console, and tried again at each line. A later call takes the libraries
    over.
    """
    desk = _Desk(path, rotate_mb * BYTES_PER_MB, keep, console, now_text)
    desk.rank, desk.console_rank = _RANKS[level], _RANKS[console_level]
    log = Log(_Bound(desk, [desk.stamped, desk.cleaned, desk.rendered], {}), desk)
    _lead_libraries_to(log, desk)
    return log


class _Desk:
    """Where lines are finished and handed out; all bound logs share one."""

    rank = _RANKS["info"]
    console_rank = _RANKS["debug"]

    def __init__(
        self,
        path: Path,
        rotate_bytes: int,
        keep: int,
        console: TextIO | None,
        now_text: Callable[[], str],
    ) -> None:
        self.redactor = Redactor()
        self.lost = 0
        self._file = LogFile(path, rotate_bytes=rotate_bytes, keep=keep, tell=self._tell_once)
        self._console = console
        self._is_coloured = console is not None and console.isatty()
        self._now_text = now_text
        self._lock = RLock()  # a finaliser that logs may run inside of a write
        self._untold = 0
        self._is_told = False
        self._is_held_up = False  # the console
        self._is_cut = False  # the last line there

    def stamped(self, _desk: object, level: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Put the time, level and event first."""
        record = {"ts": self._now_text(), "level": level, "event": fields["event"]}
        return {**record, **{key: value for key, value in fields.items() if key != "event"}}

    def cleaned(self, _desk: object, _level: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Make all values plain, without secrets."""
        errors = [value for value in fields.values() if isinstance(value, BaseException)]
        trace = {"trace": traced(errors[0])} if errors and "trace" not in fields else {}
        record = {**fields, **trace}
        return {key: self.redactor.value(plain(value)) for key, value in record.items()}

    def rendered(
        self, _desk: object, level: str, record: Mapping[str, Plain]
    ) -> tuple[tuple[str, str | None], dict[str, Any]]:
        """Return the line for the file and that for the terminal, as `write` takes them."""
        is_library = record["event"] == LIBRARY_EVENT
        least = max(self.rank, self.console_rank, _RANKS["warning"] if is_library else 0)
        is_quiet = _RANKS.get(level, _RANKS["error"]) < least
        words = None if is_quiet else readable(record, is_coloured=self._is_coloured)
        return (as_json(record), words), {}

    def write(self, line: str, words: str | None) -> None:
        """Write a fact to the file and to the terminal."""
        with self._lock:
            self._write_line(line)
            if words is not None:
                self._show(words)

    def close(self) -> None:
        with self._lock:
            self._file.close()

    def _write_line(self, line: str) -> None:
        try:
            if self._untold:
                self._file.write(as_json(self._lost_record(self._untold)))
                self._untold = 0
            self._file.write(line)
        except OSError as error:
            self.lost += 1
            self._untold += 1
            self._tell_once(f"the log cannot be written ({error.strerror}) and loses lines")

    def _lost_record(self, count: int) -> dict[str, Plain]:
        return {"ts": self._now_text(), "level": "warning", "event": LOST_EVENT, "count": count}

    def _tell_once(self, text: str) -> None:
        if not self._is_told:
            self._is_told = True
            self._show(f"AEGIS: {text}", sys.stderr if self._console is None else self._console)

    def _show(self, words: str, console: TextIO | None = None) -> None:
        console = console or self._console
        if console is None:
            return
        encoding = console.encoding or "utf-8"
        line = words.encode(encoding, "backslashreplace").decode(encoding) + "\n"
        try:
            line = f"\n{line}" if self._is_cut else line
            for begin in range(0, len(line), _PART_CHARS):
                if not self._has_room(console):
                    self._is_cut = self._is_cut or begin > 0
                    return
                console.write(line[begin : begin + _PART_CHARS])
                console.flush()
            self._is_cut = False
        except BlockingIOError:
            pass  # it was made so by somebody else, and misses a line
        except (OSError, ValueError):  # whoever read the pipe is gone, or it was closed
            self._console = None

    def _has_room(self, console: TextIO) -> bool:
        """Say whether a console takes a part of a line without making anybody wait."""
        try:
            descriptor = console.fileno()
        except OSError:
            return True  # it is in memory
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        self._is_held_up = not poll.poll(0 if self._is_held_up else _ROOM_WITHIN_MS)
        return not self._is_held_up


class _Bound(BoundLoggerBase):
    """structlog's carrier of fields; its processors are the desk's."""

    def take(self, level: str, event: str, fields: dict[str, object]) -> None:
        arguments, _ = self._process_event(level, event, fields)
        self._logger.write(*arguments)


class _Bridge(logging.Handler):
    """What a library says through the standard loggers becomes a line of ours."""

    def __init__(self, log: Log, desk: _Desk) -> None:
        super().__init__(logging.INFO)  # at DEBUG they print keys and signed URLs
        self._log = log
        self.desk = desk

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except (TypeError, ValueError, LookupError):  # the text and its arguments do not fit
            message = str(record.msg)
        error = record.exc_info[1] if record.exc_info else None
        fields = {} if error is None else {"error": error}
        self._log(
            LIBRARY_EVENT, level=_level_of(record), logger=record.name, message=message, **fields
        )


def _level_of(record: logging.LogRecord) -> Level:
    if record.levelno >= logging.ERROR:
        return "error"
    return "warning" if record.levelno >= logging.WARNING else "info"


def _lead_libraries_to(log: Log, desk: _Desk) -> None:
    root = logging.root
    for handler in [found for found in root.handlers if isinstance(found, _Bridge)]:
        root.removeHandler(handler)
    root.addHandler(_Bridge(log, desk))
    root.setLevel(logging.INFO)
    for name in _LIBRARIES:
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
        library.setLevel(logging.INFO)


def _without_reserved(fields: dict[str, object]) -> dict[str, object]:
    return {f"{key}_" if key in _RESERVED else key: value for key, value in fields.items()}
