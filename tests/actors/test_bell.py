"""What wakes a thread that waits for its next message."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable

import pytest

from actors.base import Actor, StartFailed
from actors.bell import Bell
from actors.directory import STOP, Address, Directory, Seat
from aegis.clock import SystemClock
from supervisors.runtime import ThreadRuntime
from tests.stage import PATIENCE_S, Stage

NAME = "A"


def begun(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def has_ended(thread: threading.Thread) -> bool:
    thread.join(PATIENCE_S)
    return not thread.is_alive()


def seat_in(directory: Directory, epoch: int) -> Seat:
    directory.open(NAME, epoch)
    seat = Seat()
    seat.bind(directory, Address(NAME, epoch), 1)
    return seat


def wait_until_it_waits(directory: Directory) -> None:
    tick = threading.Event()
    while directory.slot(NAME).bell is None:
        tick.wait(0.0001)


@pytest.fixture
def directory() -> Directory:
    made = Directory()
    made.add(NAME)
    return made


def test_a_ring_ends_a_wait() -> None:
    bell = Bell()
    waiting = begun(bell.wait)
    bell.ring()
    assert has_ended(waiting)


def test_a_ring_that_came_first_is_not_lost() -> None:
    bell = Bell()
    bell.ring()
    assert has_ended(begun(bell.wait))


def test_a_ring_ends_one_wait() -> None:
    bell = Bell()
    bell.ring()
    bell.wait()
    os.set_blocking(bell._read_end, False)  # so that nothing has to be waited for
    with pytest.raises(BlockingIOError):
        bell.wait()


def test_nothing_is_left_open_of_a_bell_that_nobody_holds() -> None:
    bell = Bell()
    ends = (bell._read_end, bell._write_end)
    del bell
    for end in ends:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(end)


def test_a_message_wakes_who_waits_for_it(directory: Directory) -> None:
    seat, heard = seat_in(directory, 1), list[object]()
    waiting = begun(lambda: heard.append(seat.wait()))
    wait_until_it_waits(directory)
    directory.tell(None, NAME, "message")
    assert has_ended(waiting)
    assert heard == ["message"]


@pytest.mark.parametrize(
    "end",
    [
        lambda directory: directory.stop(NAME, 1),
        lambda directory: directory.fence(NAME),
        lambda directory: directory.open(NAME, 2),
    ],
    ids=["stopped", "fenced", "replaced"],
)
def test_the_end_of_an_incarnation_wakes_it(
    directory: Directory, end: Callable[[Directory], None]
) -> None:
    seat, heard = seat_in(directory, 1), list[object]()
    waiting = begun(lambda: heard.append(seat.wait()))
    wait_until_it_waits(directory)
    end(directory)
    assert has_ended(waiting)
    assert heard == [STOP]


def test_who_follows_on_a_seat_is_woken_by_a_bell_of_his_own(directory: Directory) -> None:
    first, heard = seat_in(directory, 1), list[object]()
    elder = begun(first.wait)
    wait_until_it_waits(directory)
    second = seat_in(directory, 2)
    younger = begun(lambda: heard.append(second.wait()))
    wait_until_it_waits(directory)
    directory.tell(None, NAME, "message")
    assert has_ended(elder)
    assert has_ended(younger)
    assert heard == ["message"]


def test_where_no_file_may_be_opened_no_actor_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> tuple[int, int]:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    runtime = ThreadRuntime(SystemClock())
    stage = Stage(runtime)
    monkeypatch.setattr("actors.bell.os.pipe", refuse)
    stage.launch(NAME, Actor)
    (failed,) = stage.told_boss()
    assert isinstance(failed, StartFailed)
    assert "Too many open files" in failed.error
    runtime.close()
