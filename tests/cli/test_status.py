"""`status --watch`: again and again, until somebody ends it or nobody reads."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from aegis.cli.status import LOOK_EVERY_S, SHOWN_MAX, watch_status
from tests.cli.candle_files import HEADER, REPLAY, rows, write
from tests.cli.place import PATIENCE_S, RUN, Place, clean_environ
from tests.simulation.world import config_of
from tests.store.big_stores import make_big_store

END_OF_SCREEN = b"\x1b[?1049l"
"""What a program sends when it gives the terminal back."""


@pytest.fixture
def lived(place: Place) -> Place:
    place.configure(REPLAY)
    write(place.folder, [HEADER, *rows()])
    assert place.say("run").code == 0
    return place


def after(looks: int) -> Callable[[float], object]:
    """Return a wait that is interrupted when so many looks were taken."""
    left = iter(range(looks - 1))

    def wait(seconds: float) -> None:
        assert seconds == LOOK_EVERY_S
        if next(left, None) is None:
            raise KeyboardInterrupt

    return wait


def test_a_watch_shows_it_again_and_again(
    lived: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_of(lived.folder, {"store": {"path": lived.store}})
    for is_json, count in ((False, "AEGIS "), (True, '"is_there":true')):
        with pytest.raises(KeyboardInterrupt):
            watch_status(config, is_json=is_json, wait=after(3))
        assert capsys.readouterr().out.count(count) == 3


def test_a_watch_begins_before_there_is_a_store(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    config = config_of(place.folder, {"store": {"path": place.store}})
    with pytest.raises(KeyboardInterrupt):
        watch_status(config, is_json=False, wait=after(2))
    assert capsys.readouterr().out.count("No store yet") == 2
    assert place.names() == {"config.toml"}


def watching(place: Place, *arguments: str, stdout: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, str(RUN), "status", "--watch", *arguments],
        cwd=place.folder,
        env=clean_environ({"TERM": "xterm"}),
        stdout=stdout,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_watch_with_0(lived: Place, number: signal.Signals) -> None:
    process = watching(lived, "--json", stdout=subprocess.PIPE)
    assert process.stdout is not None
    first = json.loads(process.stdout.readline())
    assert first["is_there"] is True
    process.send_signal(number)
    _, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, err) == (0, b"")


def test_a_watch_ends_when_its_reader_has_gone(lived: Place) -> None:
    process = watching(lived, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    assert process.wait(PATIENCE_S) == 0
    assert process.stderr.read() == b""
    process.stderr.close()


def test_a_watch_on_a_terminal_draws_and_gives_it_back(lived: Place) -> None:
    ours, theirs = pty.openpty()
    process = watching(lived, stdout=theirs)
    os.close(theirs)
    shown = b""
    while b"To settle" not in shown:
        shown += os.read(ours, 65_536)
    process.send_signal(signal.SIGINT)
    while True:
        try:
            more = os.read(ours, 65_536)
        except OSError:  # the other end is closed
            break
        if not more:
            break
        shown += more
    _, err = process.communicate(timeout=PATIENCE_S)
    os.close(ours)
    assert (process.returncode, err) == (0, b"")
    _, is_given_back, kept = shown.partition(END_OF_SCREEN)
    assert is_given_back
    assert b"To settle" in kept


def test_of_many_positions_a_look_shows_a_few_and_json_all(place: Place) -> None:
    make_big_store(place.store, events=200, positions=25)
    said = place.say("status")
    assert said.out.count("STAY") < 2 * SHOWN_MAX
    assert said.out.splitlines()[-1] == ("The 20 nearest to their stop; 5 more: run.py positions")
    assert len(place.say("status", "--json").json["positions"]) == 25
    assert place.say("positions").out.count("STAY") == 25
