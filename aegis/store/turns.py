"""Whose turn it is: threads that share one open store take it one after the other.

Invariants:
1. One thread at a time has the turn; it may take it again inside.
2. Who waits for another thread's work lends it the turn for as long, and cannot lose it to a third.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType


class Turns:
    """A lock that its holder can lend: `with turns:` takes it, `lent()` is for the awaited one."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._holder: int | None = None
        self._depth = 0

    def __enter__(self) -> None:
        """Wait until nobody else has the turn; others' operations end by themselves."""
        me = threading.get_ident()
        with self._changed:
            self._changed.wait_for(lambda: self._holder in (None, me))
            self._holder = me
            self._depth += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._changed:
            self._depth -= 1
            if self._depth == 0:
                self._holder = None
                self._changed.notify_all()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Let the present thread have the turn while its holder waits for it, and give it back."""
        me = threading.get_ident()
        with self._changed:
            lender, self._holder = self._holder, me
        try:
            yield
        finally:
            with self._changed:
                if self._holder == me:  # else the lender was interrupted, and waits no more
                    self._holder = lender
