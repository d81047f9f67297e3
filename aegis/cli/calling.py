"""How this command was called, for the hints that name another one.

Who is told "run.py resume" should be able to give it as it stands: with the settings' file that was
named, and `--live` where the settings want it. It changes words alone, and decides nothing.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aegis.config.model import Config

HINT = re.compile(r"(?<![\w./-])run\.py(?![\w./])")
"""The program in a sentence; not in a path."""

_OPTIONS: ContextVar[str] = ContextVar("options", default="")


@contextmanager
def call() -> Iterator[None]:
    """Let what is noted of a call last as long as it does."""
    token = _OPTIONS.set("")
    try:
        yield
    finally:
        _OPTIONS.reset(token)


def note_call(named: Path | None, config: Config, environ: Mapping[str, str]) -> None:
    """Take with what a command was called: the file that was named, and the settings in it."""
    from aegis.config.reading import LIVE_VARIABLE

    options = [] if named is None else ["--config", str(named)]
    if config.mode == "live" and environ.get(LIVE_VARIABLE) != "1":
        options.append("--live")
    _OPTIONS.set("".join(f" {shlex.quote(each)}" for each in options))


def as_called(text: str) -> str:
    """Return a text whose hints reach the AEGIS that this command is about."""
    return HINT.sub(lambda found: f"{found[0]}{_OPTIONS.get()}", text)
