"""A folder for what nobody keeps.

Invariant: it is gone when the process ends, however it ends, but for a kill.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp


@contextmanager
def thrown_away(what: str) -> Iterator[Path]:
    """Yield a folder of one's own, and remove it with all that is in it."""
    folder = Path(mkdtemp(prefix=f"aegis-{what}-"))
    try:
        yield folder
    finally:
        discard(folder)


def discard(folder: Path) -> None:
    """Remove a folder with all that is in it, as far as that can be."""
    shutil.rmtree(folder, ignore_errors=True)
