"""Room on the disk that is set aside, so that exits still commit when everything else is full.

A file beside the store whose only content is that it takes room. It is made at the opening,
freed when the disk is nearly full, and made again when there is room for both.

Invariant: making it never takes the last room away.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from aegis.domain.account import TradingState
from aegis.domain.commands import ChangeTradingState, Command, Refusal
from aegis.store.files import PRIVATE

RESERVE_BYTES = 8 * 1024 * 1024
"""Thousands of exits: an order from intent to fill takes some 4 KB of log and as much of rows."""

FREE_BYTES_MIN = 64 * 1024 * 1024
"""Below this entries are halted: an hour of a busy log, its rows, and a line of text for each."""


def reserve_path(store: Path) -> Path:
    """Return the path of a store's reserve."""
    return store.with_name(store.name + ".reserve")


def free_bytes(store: Path) -> int:
    """Return how much room there is where a store lies, for who is not root."""
    found = os.statvfs(store.parent)
    return found.f_bavail * found.f_frsize


def refusal_for_room(store: Path, command: Command) -> Refusal | None:
    """Return why entries must not go on where a store lies, or None: the disk is nearly full."""
    is_resume = isinstance(command, ChangeTradingState) and command.state is TradingState.ACTIVE
    if not is_resume or free_bytes(store) >= FREE_BYTES_MIN:
        return None
    said = (
        f"less than {FREE_BYTES_MIN >> 20} MiB are free where the store is; make room, then resume"
    )
    return Refusal(code="disk", text=said, mends_with_time=True)


def is_reserved(store: Path) -> bool:
    """Whether the whole reserve is there."""
    try:
        return reserve_path(store).stat().st_size >= RESERVE_BYTES
    except OSError:
        return False


def free_reserve(store: Path) -> None:
    """Give the room back."""
    reserve_path(store).unlink(missing_ok=True)


def make_reserve(store: Path) -> None:
    """Set the room aside where there is enough for it; a disk that says no is not an error."""
    if is_reserved(store) or free_bytes(store) < FREE_BYTES_MIN + RESERVE_BYTES:
        return
    try:
        descriptor = os.open(reserve_path(store), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE)
        try:
            os.posix_fallocate(descriptor, 0, RESERVE_BYTES)
        finally:
            os.close(descriptor)
    except OSError:
        with suppress(OSError):
            free_reserve(store)


def settle_reserve(store: Path) -> tuple[str, ...]:
    """Make the reserve, or free it where room is short; return what a person should know."""
    if free_bytes(store) >= FREE_BYTES_MIN:
        make_reserve(store)
        return ()
    if not is_reserved(store):
        return ()
    free_reserve(store)
    return ("There is little room on the disk; the reserve was freed so that exits still commit",)
