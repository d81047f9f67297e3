"""One life of AEGIS from the start of its process until it is armed, as its log tells it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import msgspec

from tests.bench.measuring import KIB_PER_MIB, Failed
from tests.bench.start import watched
from tests.bench.start.watched import resident_kib
from tests.cli.place import RUN, Foreground, clean_environ

LIBRARIES = ("apsw", "pykka", "msgspec", "pydantic", "structlog")
"""What is imported barely: what AEGIS cannot begin without."""

STORE, GATEWAY, RECONCILED, ARMED = (
    "StoreOpened",
    "GatewayStarted",
    "ReconciliationCompleted",
    "StrategyArmed",
)

ENVIRON = {"AEGIS_LOG__LEVEL": "debug", "PYTHONDONTWRITEBYTECODE": ""}
"""Compiled modules are kept, as they are wherever AEGIS was installed and started once."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where AEGIS is started, and how."""

    folder: Path
    arguments: tuple[str, ...]
    environ: Mapping[str, str]

    @property
    def log(self) -> Path:
        return self.folder / "data" / "aegis.log"


class Life(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds from the start of the process."""

    store_s: float
    gateway_s: float
    reconciled_s: float
    armed_s: float


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """`before_mib` until an exchange's class was asked for; None where that never was."""

    before_mib: float | None
    armed_mib: float


def bare_import_s(folder: Path) -> float:
    """Return how long the libraries take by themselves, from a process' start."""
    code = f"import {', '.join(LIBRARIES)}, time; print(time.time())"
    environ = clean_environ(ENVIRON)
    began = time.time()
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder, env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise Failed(f"the bare import ended with {done.returncode}: {done.stderr}")
    return float(done.stdout) - began


def live_once(place: Place) -> Life:
    """Start AEGIS, wait until it is armed, end it, and return when it had come how far."""
    place.log.unlink(missing_ok=True)
    began = time.time()
    _until_armed(Foreground(place.folder, *place.arguments, environ=_environ(place)))
    return life_of(place.log.read_text(), began)


def hold_once(place: Place, note: Path) -> Held:
    """Start AEGIS, and return what it held in memory; `note` is a file that is not there."""
    foreground = Foreground(
        place.folder, str(note), *place.arguments,
        program=Path(watched.__file__), environ=_environ(place),
    )  # fmt: skip
    armed_kib = _until_armed(foreground)
    before_mib = int(note.read_text()) / KIB_PER_MIB if note.exists() else None
    note.unlink(missing_ok=True)
    return Held(before_mib=before_mib, armed_mib=armed_kib / KIB_PER_MIB)


def life_of(log: str, began: float) -> Life:
    """Return a life by the first line of each kind; `began` is real time."""
    at: dict[str, float] = {}
    for line in log.splitlines():
        told = json.loads(line)
        at.setdefault(told["event"], datetime.fromisoformat(told["ts"]).timestamp() - began)
    if missing := {STORE, GATEWAY, RECONCILED, ARMED} - at.keys():
        raise Failed(f"Expected the log to tell of {', '.join(sorted(missing))}")
    return Life(
        store_s=at[STORE], gateway_s=at[GATEWAY], reconciled_s=at[RECONCILED], armed_s=at[ARMED]
    )


def _environ(place: Place) -> dict[str, str]:
    return {**ENVIRON, **place.environ}


def _until_armed(foreground: Foreground) -> int:
    """Wait until AEGIS is armed, end it, and return how many KiB it held then."""
    try:
        foreground.wait_for(ARMED)
        kib = resident_kib(Path(f"/proc/{foreground.process.pid}/status").read_text())
        ended = foreground.end()
    except AssertionError as fault:
        raise Failed(f"{fault}; exit code {foreground.process.poll()}") from fault
    finally:
        foreground.clear()
    if ended.code != 0:
        raise Failed(f"{RUN.name} ended with {ended.code}: {ended.err[-2000:]}")
    return kib
