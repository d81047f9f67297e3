from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from aegis.store.errors import StoreBusy, StoreFailed
from aegis.store.lock import holder_of, lock_path, take_lock
from tests.store.histories import open_store

OPENING = """
import sys
from pathlib import Path
from aegis.store.errors import StoreBusy
from tests.store.histories import open_store
try:
    store = open_store(Path(sys.argv[1]))
except StoreBusy as busy:
    print(busy)
else:
    store.close()
    print("opened")
"""


def in_a_fork(work: Callable[[], str]) -> str:
    """Return what a forked child makes of its work."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, work().encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as told:
        said = told.read()
    os.waitpid(child, 0)
    return said


def _in_another_process(program: str, path: Path) -> str:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_second_process_is_told_who_holds_the_store(path: Path) -> None:
    store = open_store(path)
    said = _in_another_process(OPENING, path)
    store.close()
    assert said.startswith(f"Another AEGIS (pid {os.getpid()}) uses {path}")


def test_a_forked_child_does_not_share_its_parents_lock(path: Path) -> None:
    store = open_store(path)

    def child() -> str:
        try:
            open_store(path)
        except StoreBusy as busy:
            return str(busy)
        return "opened"

    assert in_a_fork(child).startswith(f"Another AEGIS (pid {os.getpid()})")
    store.close()
    assert in_a_fork(child) == "opened"


def test_a_store_that_is_closed_is_free_although_a_forked_child_lives(path: Path) -> None:
    store = open_store(path)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    try:
        store.close()
        assert _in_another_process(OPENING, path) == "opened"
    finally:
        os.close(writer)
        os.close(reader)
        os.waitpid(child, 0)


def test_a_closed_store_is_free_for_others(path: Path) -> None:
    open_store(path).close()
    assert _in_another_process(OPENING, path) == "opened"


def test_the_lock_file_is_never_unlinked(path: Path) -> None:
    open_store(path).close()
    before = lock_path(path).stat().st_ino
    open_store(path).close()
    assert lock_path(path).stat().st_ino == before


def test_the_holder_is_known_while_there_is_one(path: Path) -> None:
    store = open_store(path)
    during = holder_of(path)
    store.close()
    assert (during, holder_of(path)) == (os.getpid(), None)


def test_nobody_holds_what_never_was(path: Path) -> None:
    assert holder_of(path) is None


def test_a_look_leaves_the_lock_where_it_is(path: Path) -> None:
    store = open_store(path)
    for _ in range(3):
        holder_of(path)
    said = _in_another_process(OPENING, path)
    store.close()
    assert said.startswith("Another AEGIS")


def test_a_dead_holders_pid_does_not_hold(path: Path) -> None:
    path.parent.mkdir(parents=True)
    lock_path(path).write_text(f"{os.getppid()}\n")
    assert holder_of(path) is None


def test_the_process_holds_until_its_last_share_is_given_back(path: Path) -> None:
    path.parent.mkdir(parents=True)
    elder, younger = take_lock(path), take_lock(path)
    elder.release()
    still = holder_of(path)
    younger.release()
    assert (still, holder_of(path)) == (os.getpid(), None)


def test_a_share_is_given_back_once(path: Path) -> None:
    path.parent.mkdir(parents=True)
    elder, younger = take_lock(path), take_lock(path)
    elder.release()
    elder.release()
    still = holder_of(path)
    younger.release()
    assert still == os.getpid()


def test_a_lock_file_that_was_replaced_is_noticed(path: Path) -> None:
    path.parent.mkdir(parents=True)
    lock = take_lock(path)
    lock_path(path).rename(path.with_name("elsewhere"))
    lock_path(path).touch()
    with pytest.raises(StoreFailed, match="removed or replaced"):
        lock.check()
    lock.release()


def test_busy_without_a_pid_says_so(path: Path) -> None:
    assert "pid unknown" in str(StoreBusy(None, path))
