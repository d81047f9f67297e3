"""The lock: which process is the writer of a store.

`flock` on a file beside the store, which holds the writer's process id as text.

Invariants:
1. The lock file is never unlinked: a second file of that name would let a second writer in.
2. It belongs to the process. An actor that was given up may still hold a store; the one that
   follows it shares the lock, and the check of the log's head stops the elder.
3. It does not go over to a forked child, which holds no lock until it takes one of its own.
4. A reader's look lasts microseconds, and a starting writer tries for longer than that.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Mapping
from pathlib import Path

from aegis.store.errors import StoreBusy, StoreFailed
from aegis.store.files import PRIVATE, FileIdentity, identity_of

TRIES = 20
WAIT_S = 0.005  # 0.1 s in all: longer than any reader looks, short for a person

_PID_BYTES_MAX = 32


class _Held:
    def __init__(self, descriptor: int, path: Path) -> None:
        self.descriptor, self.path, self.owners = descriptor, path, 0
        locked = os.fstat(descriptor)
        self.name, self.identity = str(path), (locked.st_dev, locked.st_ino)


_held: dict[Path, _Held] = {}
_guard = threading.Lock()


class Lock:
    """A share in the process's hold on one store."""

    def __init__(self, held: _Held) -> None:
        self._held: _Held | None = held
        self.expected: Mapping[str, FileIdentity | None] = {held.name: held.identity}

    def release(self) -> None:
        """Give the share back; the last one frees the store for other processes."""
        with _guard:
            held, self._held = self._held, None
            if held is None or _held.get(held.path) is not held:
                return  # given back already, or left to the parent
            held.owners -= 1
            if held.owners == 0:
                del _held[held.path]
                os.close(held.descriptor)

    def check(self) -> None:
        """Raise `StoreFailed` when the lock file is not the one that was locked."""
        assert self._held is not None, "Expected a lock that is held"
        if identity_of(self._held.name) != self._held.identity:
            raise StoreFailed("lock", f"{self._held.path} was removed or replaced while in use")


def lock_path(store: Path) -> Path:
    """Return the path of a store's lock file."""
    return store.with_name(store.name + ".lock")


def take_lock(store: Path) -> Lock:
    """Make this process the writer of a store, or raise `StoreBusy` with who is."""
    path = lock_path(store).resolve()
    with _guard:
        held = _held.get(path)
        if held is None:
            held = _Held(_locked_descriptor(path, store), path)
            _held[path] = held
        held.owners += 1
    lock = Lock(held)
    try:
        lock.check()
    except StoreFailed:
        lock.release()
        raise
    return lock


def holder_of(store: Path) -> int | None:
    """Return the process id of a store's writer, 0 when it cannot be read, None without one."""
    try:
        descriptor = os.open(lock_path(store), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _pid_in(descriptor) or 0
    else:
        return None
    finally:
        os.close(descriptor)


def _leave_to_the_parent() -> None:
    """Let go of what a forked child has inherited: the lock stays with who took it."""
    for held in _held.values():
        os.close(held.descriptor)
    _held.clear()
    _guard.release()


os.register_at_fork(
    before=_guard.acquire,
    after_in_parent=_guard.release,
    after_in_child=_leave_to_the_parent,
)


def _locked_descriptor(path: Path, store: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE)
    pause = threading.Event()
    for _ in range(TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pause.wait(WAIT_S)
        else:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
            return descriptor
    pid = _pid_in(descriptor)
    os.close(descriptor)
    raise StoreBusy(pid, store)


def _pid_in(descriptor: int) -> int | None:
    text = os.pread(descriptor, _PID_BYTES_MAX, 0).strip()
    return int(text) if text.isdigit() else None
