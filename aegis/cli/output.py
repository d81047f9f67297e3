"""Where words go: data to stdout, everything else to stderr.

Invariants:
1. A reader that has gone changes neither the exit code nor the rest of the work.
2. Every character can be written, whatever the terminal's encoding.
3. No text out of the store or from an exchange can give orders to a terminal.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from unicodedata import combining, east_asian_width

import msgspec

GAP = "   "

_COLUMNS = {"W": 2, "F": 2}
"""Of a terminal, by the classes of Unicode's annex 11."""

Progress = Callable[[int, int], None]

Show = Callable[[str], bool]


def make_safe() -> None:
    """Let both streams write what their encoding does not have."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def stdout_kept_for_data() -> Iterator[None]:
    """Lead what a person's own code prints to stderr, for as long as such code may run."""
    with redirect_stdout(sys.stderr):
        yield


def tell(text: str) -> bool:
    """Write lines to stdout and say whether anybody reads; `OSError` when there is no room."""
    if sys.stdout is None:
        return False
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        _lead_to_nowhere(sys.stdout.fileno())
        return False
    except OSError as error:
        _lead_to_nowhere(sys.stdout.fileno())
        raise OSError(error.errno, error.strerror, "stdout") from error
    return True


def tell_json(value: object) -> bool:
    """Write a value as one line of JSON; figures are texts, exact. Say whether anybody reads."""
    return tell(msgspec.json.encode(value).decode())


def complain(*lines: str) -> None:
    """Write lines to stderr, if anybody hears it."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write("".join(f"{plain(line)}\n" for line in lines))
        sys.stderr.flush()
    except OSError:  # there is nowhere left to say so
        return


def is_answering(question: str) -> bool:
    """Ask a person, and say whether the answer is yes; where nobody can answer it is no."""
    if sys.stdin is None or not sys.stdin.isatty():
        return False
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def plain(text: str) -> str:
    """Return a text on one line, with what a terminal may obey made visible."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str]) -> str:
    """Return rows under their headings; the columns named in `right` end at the right.

    No cell is ever cut: an id that is cut is of no use, so a narrow terminal wraps the line.
    """
    lines = [tuple(columns), *(tuple(plain(cell) for cell in row) for row in rows)]
    widths = [max(map(_columns_of, column)) for column in zip(*lines, strict=True)]
    ends_right = [column in right for column in columns]
    rule = "─" * (sum(widths) + len(GAP) * (len(widths) - 1))
    head, *body = (_line(cells, widths, ends_right) for cells in lines)
    return "\n".join((head, rule, *body))


def pairs(rows: Sequence[tuple[str, str]]) -> str:
    """Return names and what belongs to them, one pair a line."""
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {plain(text)}".rstrip() for name, text in rows)


@contextmanager
def shown_progress(what: str) -> Iterator[Progress]:
    """Yield what moves a bar on stderr where that is a terminal, and nothing elsewhere."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        TextColumn(what),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    with bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def screen() -> Iterator[Show]:
    """Yield what shows a text in place of the last one on a terminal, and after it elsewhere.

    What was shown says whether anybody still reads. The terminal keeps the last text.
    """
    if sys.stdout is None or not sys.stdout.isatty():
        yield lambda text: tell(f"{text}\n")
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    last = ""

    def show(text: str) -> bool:
        nonlocal last
        last = text
        live.update(Text(text, no_wrap=True, overflow="ellipsis"), refresh=True)
        return True

    try:
        with Live(console=Console(), screen=True, auto_refresh=False) as live:
            yield show
    finally:
        tell(last)


def _line(cells: Sequence[str], widths: Sequence[int], ends_right: Sequence[bool]) -> str:
    return GAP.join(
        " " * (width - _columns_of(cell)) + cell
        if is_right
        else cell + " " * (width - _columns_of(cell))
        for cell, width, is_right in zip(cells, widths, ends_right, strict=True)
    ).rstrip()


def _columns_of(text: str) -> int:
    """Return how many columns of a terminal a text takes; a Chinese character takes two."""
    if text.isascii():
        return len(text)
    return sum(_COLUMNS.get(east_asian_width(each), 1) for each in text if not combining(each))


def _lead_to_nowhere(descriptor: int) -> None:
    """Point a broken stream at nothing, so that what is left in its buffer hurts nobody."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
