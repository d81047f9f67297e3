"""A backup made by another process, as whoever trades has it made."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec

from aegis.archive.errors import ArchiveError
from aegis.archive.making import Made
from aegis.archive.words import Order

DEADLINE_S = 3600.0
"""A hundred times what a store of a million events takes."""

_MADE = msgspec.json.Decoder(Made)
_HOUSE = str(Path(__file__).parents[2])


def make_apart(order: Order) -> Made:
    """Have a backup made, and wait for it; `ArchiveError` with the maker's own line.

    Nothing is imported from the working folder: it is a person's, and may hold any names.
    """
    paths = [_HOUSE, *filter(None, [os.environ.get("PYTHONPATH")])]
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "aegis.archive"],
            input=msgspec.json.encode(order),
            capture_output=True,
            timeout=DEADLINE_S,
            check=False,
            env={**_plain_environ(), "PYTHONPATH": os.pathsep.join(paths)},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ArchiveError(f"no process could make it: {error}") from error
    if done.returncode != 0:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise ArchiveError(lines[-1] if lines else f"its maker ended with {done.returncode}")
    return _MADE.decode(done.stdout)


def _plain_environ() -> dict[str, str]:
    """Return the environment without our settings: a maker needs none, nor any secret."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AEGIS_")}
