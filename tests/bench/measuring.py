"""One program run to its end: what it said, how long it took, and how much memory it held."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

KIB_PER_MIB = 1024
ERROR_CHARS_MAX = 2_000


class Failed(Exception):  # noqa: N818  it reads as its sentence: the run failed, because ...
    """A program ended with another code than 0; the text is the end of what it said."""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """`wall_s` and `cpu_s` are of the whole process, from its start to its end."""

    out: bytes
    wall_s: float
    cpu_s: float
    memory_mib_max: float


def measured(command: Sequence[str], folder: Path, environ: Mapping[str, str]) -> Measured:
    """Run a program and return what it took, as the system counts it; raises `Failed`."""
    said, complained = folder / "stdout", folder / "stderr"
    with said.open("wb") as out, complained.open("wb") as error:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=dict(environ), stdin=subprocess.DEVNULL, stdout=out,
            stderr=error,
        )  # fmt: skip
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        words = complained.read_text(errors="replace")[-ERROR_CHARS_MAX:]
        raise Failed(f"{command[0]} ended with {process.returncode}: {words}")
    return Measured(
        out=said.read_bytes(),
        wall_s=wall_s,
        cpu_s=usage.ru_utime + usage.ru_stime,
        memory_mib_max=usage.ru_maxrss / KIB_PER_MIB,
    )
