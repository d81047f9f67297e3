"""Files that a command writes for a person: whole, or not at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkstemp
from typing import BinaryIO

from aegis.config.model import Config
from aegis.config.paths import use_of


def refusal_of_file(file: Path, option: str, config: Config, settings: Path) -> str | None:
    """Return why nothing can be written there, or None; `option` is what named it."""
    if not file.name or file.is_dir():
        return f"{option}: expected a file, was the folder {file}"
    if file.exists() and not file.is_file():
        return f"{option}: expected a file that can be replaced, was {file}"
    if not file.resolve().parent.is_dir():
        return f"{option}: expected a folder that is there, was {file.parent}; make it first"
    use = use_of(file, config, settings)
    return f"{option}: expected a file of your own, was {file}, which is {use}" if use else None


@contextmanager
def replacing(file: Path) -> Iterator[BinaryIO]:
    """Yield what becomes the file when the block ends well; `OSError` when that cannot be.

    A new one is the owner's alone, as the store is; one that is replaced keeps its mode.
    """
    target = file.resolve()
    try:
        descriptor, name = mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:  # it names its own file, which nobody asked for
        raise OSError(error.errno, error.strerror, str(file)) from error
    try:
        with os.fdopen(descriptor, "wb") as made:
            with suppress(FileNotFoundError):
                os.fchmod(made.fileno(), stat.S_IMODE(target.stat().st_mode))
            yield made
            made.flush()
            os.fsync(made.fileno())
        Path(name).replace(target)
    finally:
        Path(name).unlink(missing_ok=True)  # it is there still where something failed
