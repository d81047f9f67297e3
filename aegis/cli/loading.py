"""Loading modules without looking for garbage among them.

Python goes through all that is there again and again as it grows: 50 of the 300 ms until a store
was open, and anew at each full search of a long run. What a command has loaded stays to its end.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Look for no garbage meanwhile, and later not among what is there by then."""
    gc.disable()
    try:
        yield
    finally:
        settle()


def settle() -> None:
    """Leave alone what is loaded by now, and look for garbage from here on."""
    gc.freeze()
    gc.enable()


@contextmanager
def loading_first() -> Iterator[None]:
    """Be loading until somebody settles; whoever comes after finds all as it was before."""
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.enable()
