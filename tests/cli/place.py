"""A folder of one's own with its config.toml, and AEGIS started in it as a person does."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
import pytest

from actors.base import outcome_of
from aegis.cli.main import main
from aegis.cli.running import Start
from supervisors.errands import act

ROOT = Path(__file__).parents[2]
RUN = ROOT / "run.py"
PATIENCE_S = 30.0

METRONOME = """
[market]
speed = {speed}
[strategy]
name = "metronome"
params = {{ period_s = {period_s} }}
"""


class Said(msgspec.Struct, frozen=True):
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Place:
    """Where AEGIS is started; the store, the log and the settings are all in it."""

    def __init__(
        self, folder: Path, capture: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch
    ) -> None:
        self.folder = folder
        self._capture = capture
        self._patch = patch
        self.store = folder / "data" / "aegis.db"
        self.log = folder / "data" / "aegis.log"
        self.configure("")

    def configure(self, text: str) -> None:
        (self.folder / "config.toml").write_text(text)

    def say(self, *arguments: str, engine: Callable[[], Start] | None = None) -> Said:
        """Carry out a command in this process, from the folder."""
        self._patch.chdir(self.folder)
        self._capture.readouterr()
        code = main(
            arguments,
            beside=ROOT,
            engine=engine or engine_of_aegis,
            office=lambda: act,
            shield=outcome_of,
        )
        told = self._capture.readouterr()
        return Said(code, told.out, told.err)

    def run(self, *arguments: str, **environ: str) -> Said:
        """Carry out a command in a process of its own."""
        return run_in(self.folder, *arguments, **environ)

    def names(self) -> set[str]:
        """Return everything that is in the folder."""
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*")}

    def files(self) -> dict[str, bytes]:
        """Return every file that is in the folder, and what is in it."""
        return {
            name: (self.folder / name).read_bytes()
            for name in self.names()
            if (self.folder / name).is_file()
        }


def run_in(folder: Path, *arguments: str, **environ: str) -> Said:
    """Carry out a command from a folder, in a process of its own."""
    done = subprocess.run(
        [sys.executable, str(RUN), *arguments],
        cwd=folder,
        env=clean_environ(environ),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)


def lived_once(place: Place, kept: Path, live: Callable[[Place], None]) -> Place:
    """Let a place be as after a life, which is lived the first time and copied from then on."""
    if kept.exists():
        shutil.copytree(kept, place.folder, dirs_exist_ok=True)
    else:
        live(place)
        shutil.copytree(place.folder, kept)
    return place


def engine_of_aegis() -> Start:
    from supervisors.runs import run

    return run


def clean_environ(added: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without what configures AEGIS."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AEGIS")}
    return {**kept, **added}


class Foreground:
    """AEGIS running in a folder, its console read line by line."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        program: Path = RUN,
        environ: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(program), *arguments],
            cwd=folder,
            env=clean_environ(environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self._grown = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, word: str, count: int = 1) -> str:
        """Return the console's line with a word in it, the `count`th one."""
        with self._grown:
            found = self._grown.wait_for(
                lambda: len(self._with(word)) >= count or not self._reader.is_alive(), PATIENCE_S
            )
            assert found, f"Expected {word} within {PATIENCE_S} s, was {self.lines[-5:]}"
            assert len(self._with(word)) >= count, f"It ended before {word}: {self.lines[-5:]}"
            return self._with(word)[count - 1]

    def end(self, number: signal.Signals = signal.SIGINT) -> Said:
        """Send a signal and wait for the end."""
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> Said:
        assert self.process.stdout is not None
        out = self.process.stdout.read()
        code = self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        return Said(code, out, "".join(self.lines))

    def clear(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    def _with(self, word: str) -> list[str]:
        return [line for line in self.lines if word in line]

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._grown:
                self.lines.append(line)
                self._grown.notify_all()
        with self._grown:
            self._grown.notify_all()
