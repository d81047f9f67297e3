"""Signals turned into words for whoever drives a run.

Invariant: a handler only puts a word somewhere; but a second SIGINT or SIGTERM ends the process.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from types import FrameType

EXIT_SECOND_SIGNAL = 1


def leave_all() -> None:
    """Leave everything as it is."""


class Told:
    """What signals have said: the word to stop, and how often the configuration was changed."""

    def __init__(self) -> None:
        self.stop: SimpleQueue[str] = SimpleQueue()
        self.hang_ups: SimpleQueue[None] = SimpleQueue()

    def take_hang_up(self) -> bool:
        """Say whether SIGHUP came since the last time, once for however many."""
        is_taken = False
        while not self.hang_ups.empty():
            self.hang_ups.get()
            is_taken = True
        return is_taken


@contextmanager
def signals(
    before_abort: Callable[[], None], on_stop: Callable[[], None] = leave_all
) -> Iterator[Told]:
    """Turn signals into words; a second SIGINT or SIGTERM ends the process at once.

    `on_stop` is called at the first, in whatever the main thread is about.
    """
    told = Told()
    seen: list[int] = []

    def hear(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            told.hang_ups.put(None)
            return
        if seen:
            before_abort()
            os._exit(EXIT_SECOND_SIGNAL)
        seen.append(number)
        told.stop.put(signal.Signals(number).name)
        on_stop()

    heard = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {each: signal.signal(each, hear) for each in heard}
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
