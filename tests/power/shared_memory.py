"""The shared memory beside a WAL, refused: each single call that SQLite makes for its -shm.

Python's file systems never see it, so the calls of SQLite's own one are replaced by functions of
ours, which ask the plan first where the file is a -shm.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import apsw

from tests.power.beneath import BASE
from tests.power.faults import Plan

_INT, _TEXT, _SIZE, _POINTER = ctypes.c_int, ctypes.c_char_p, ctypes.c_ssize_t, ctypes.c_void_p

_CALLS = {
    # what it returns, what it takes, where among these the descriptor is
    "fcntl": (_INT, (_INT, _INT, _POINTER), 0),
    "fstat": (_INT, (_INT, _POINTER), 0),
    "ftruncate": (_INT, (_INT, _SIZE), 0),
    "pwrite64": (_SIZE, (_INT, _POINTER, _SIZE, _SIZE), 0),
    "mmap": (_SIZE, (_POINTER, _SIZE, _INT, _INT, _INT, _SIZE), 4),
}


class _Calls:
    """SQLite's calls to the system as ours, until they are given back."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._system = apsw.VFS("calls", base=BASE)
        self._descriptors: set[int] = set()
        self._ours: list[object] = []  # SQLite keeps no reference to them
        self._theirs: dict[str, int] = {}
        self._replace("open", _INT, (_TEXT, _INT, _INT), self._open)
        self._replace("close", _INT, (_INT,), self._close)
        for name, (returns, takes, at) in _CALLS.items():
            self._replace(name, returns, takes, self._refusing(name, at))

    def give_back(self) -> None:
        for name, pointer in self._theirs.items():
            self._system.xSetSystemCall(name, pointer)
        self._system.unregister()

    def _replace(
        self,
        name: str,
        returns: type[ctypes._SimpleCData[int]],
        takes: tuple[type, ...],
        ours: Callable[..., int],
    ) -> None:
        pointer = self._system.xGetSystemCall(name)
        assert pointer is not None, f"Expected SQLite to call {name}"
        kind = ctypes.CFUNCTYPE(returns, *takes, use_errno=True)
        theirs = kind(pointer)
        made = kind(lambda *arguments: ours(theirs, *arguments))
        address = ctypes.cast(made, ctypes.c_void_p).value
        assert address is not None
        self._theirs[name] = pointer
        self._ours.append(made)
        self._system.xSetSystemCall(name, address)

    def _open(self, theirs: Callable[..., int], path: bytes, flags: int, mode: int) -> int:
        is_shared = path.endswith(b"-shm")
        if is_shared and self._plan.does_fail("shm open"):
            return _refused()
        descriptor = theirs(path, flags, mode)
        if is_shared and descriptor >= 0:
            self._descriptors.add(descriptor)
        return descriptor

    def _close(self, theirs: Callable[..., int], descriptor: int) -> int:
        self._descriptors.discard(descriptor)
        return theirs(descriptor)

    def _refusing(self, name: str, at: int) -> Callable[..., int]:
        def call(theirs: Callable[..., int], *arguments: int) -> int:
            is_shared = arguments[at] in self._descriptors and not _is_letting_go(name, arguments)
            if is_shared and self._plan.does_fail(f"shm {name}"):
                return _refused()
            return theirs(*arguments)

        return call


def _is_letting_go(name: str, arguments: tuple[int, ...]) -> bool:
    """Whether a call gives a lock back; no local file system refuses that.

    SQLite believes it as well: it would wait 10 s for a lock that it still holds, then fail stop.
    """
    if name != "fcntl" or arguments[1] != fcntl.F_SETLK:
        return False
    return ctypes.c_short.from_address(arguments[2]).value == fcntl.F_UNLCK


def _refused() -> int:
    ctypes.set_errno(errno.EIO)
    return -1


@contextmanager
def refusing_shared_memory() -> Iterator[Plan]:
    """Yield the plan by which calls for a -shm fail while a store is used in this block."""
    plan = Plan()
    calls = _Calls(plan)
    try:
        yield plan
    finally:
        calls.give_back()
