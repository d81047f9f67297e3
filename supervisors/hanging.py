"""What ends a step that does not return, once a run at speed 0 was told to stop.

All actors share one thread there, so a person's strategy that hangs holds everybody up, the ear
for signals too. It must never end a step that is merely slow: only one that goes on for longer
than any of ours does, and only after the word to stop.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STEP_S_MAX = 1.0
"""No step of ours takes that long; whoever was told to stop has 2 s."""


@contextmanager
def hanging_ended(steps: Callable[[], int]) -> Iterator[Callable[[], None]]:
    """Yield what begins to watch: from then on a step that takes too long raises `TimeoutError`.

    It raises where the main thread is, in the code that hangs; to an actor that is a death.
    """
    seen, is_watching = -1, False

    def look(_number: int, _frame: FrameType | None) -> None:
        nonlocal seen
        now = steps()
        if now == seen:
            raise TimeoutError(f"it did not return within {STEP_S_MAX:.0f} s of the word to stop")
        seen = now

    def begin() -> None:
        nonlocal seen, is_watching
        seen, is_watching = steps(), True
        signal.setitimer(signal.ITIMER_REAL, STEP_S_MAX, STEP_S_MAX)

    before = signal.signal(signal.SIGALRM, look)
    try:
        yield begin
    finally:
        if is_watching:  # the timer may be another's else: the process has but one
            signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
