"""A disk that forgets: what may be left of files when the power goes, as a pure model.

A file's content is safe when it was synced; a name when its folder was. Of everything since then
anything may be there or not, in pieces of a sector, and in any order. That is harsher than a
journaling file system is: it keeps a new file's name with the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from random import Random
from typing import TypeVar, assert_never

import msgspec

SECTOR_BYTES = 512

Each = TypeVar("Each")


class Write(msgspec.Struct, frozen=True):
    """Bytes at an offset of a file."""

    file: int
    offset: int
    data: bytes


class Truncate(msgspec.Struct, frozen=True):
    """A file's new length, in bytes."""

    file: int
    size: int


class Sync(msgspec.Struct, frozen=True):
    """The content of a file is safe when this returns."""

    file: int


class SyncFailed(msgspec.Struct, frozen=True):
    """The system could not write a file's content, says so once, and takes it for written.

    Whoever reads finds it there until the machine stops; no later sync writes it.
    """

    file: int


class Create(msgspec.Struct, frozen=True):
    """A name for a new, empty file."""

    name: str
    file: int


class Link(msgspec.Struct, frozen=True):
    """One more name for a file that is there."""

    name: str
    file: int


class Rename(msgspec.Struct, frozen=True):
    """A name is now another; the file that had it is without it. Both or neither."""

    name: str
    new_name: str
    file: int


class Delete(msgspec.Struct, frozen=True):
    """A name is gone."""

    name: str


class SyncFolder(msgspec.Struct, frozen=True):
    """The names are safe when this returns."""


Naming = Create | Link | Rename | Delete
Operation = Write | Truncate | Sync | SyncFailed | Naming | SyncFolder
Image = Mapping[str, bytes]
"""What is on the disk when the machine comes back: content by name."""


class Manner(Enum):
    """What becomes of that which was not synced."""

    DROPPED = "nothing of it is there"
    KEPT = "all of it is there"
    PARTIAL = "some writes are there and some are not"
    TORN = "some sectors are there and some are not"


class Disk:
    """Files and names, each as it is surely kept and with what came since."""

    def __init__(self, image: Image | None = None) -> None:
        image = image or {}
        self._names = {name: number for number, name in enumerate(image)}
        self._names_since: list[Naming] = []
        self._kept = {number: bytes(image[name]) for name, number in self._names.items()}
        self._since: dict[int, list[Write | Truncate]] = {number: [] for number in self._kept}

    def do(self, operation: Operation) -> None:
        """Let an operation happen."""
        match operation:
            case Write() | Truncate():
                self._since[operation.file].append(operation)
            case Sync():
                file = operation.file
                self._kept[file] = _changed(self._kept[file], self._since[file])
                self._since[file] = []
            case SyncFailed():
                self._since[operation.file] = []
            case Create():
                self._kept[operation.file], self._since[operation.file] = b"", []
                self._names_since.append(operation)
            case Link() | Rename() | Delete():
                self._names_since.append(operation)
            case SyncFolder():
                self._names = _renamed(self._names, self._names_since)
                self._names_since = []
            case _:
                assert_never(operation)

    def after_cut(self, manner: Manner, choose: Random) -> Image:
        """Return what the next start finds."""
        names = _renamed(self._names, _left(self._names_since, manner, choose))
        return {name: self._content(names[name], manner, choose) for name in sorted(names)}

    def _content(self, file: int, manner: Manner, choose: Random) -> bytes:
        since = self._since[file]
        left = _left(since, manner, choose)
        if manner is not Manner.TORN:
            return _changed(self._kept[file], left)
        torn = _changed(self._kept[file], _torn(left, choose))
        whole_size = len(_changed(self._kept[file], since))
        # A file system may know the new length before it has the content.
        return torn.ljust(whole_size, b"\0") if choose.random() < 0.5 else torn


def _left(operations: list[Each], manner: Manner, choose: Random) -> list[Each]:
    if manner is Manner.DROPPED:
        return []
    if manner is Manner.KEPT:
        return operations
    return [each for each in operations if choose.random() < 0.5]


def _torn(operations: Iterable[Write | Truncate], choose: Random) -> list[Write | Truncate]:
    pieces: list[Write | Truncate] = []
    for each in operations:
        pieces.extend(_sectors(each) if isinstance(each, Write) else [each])
    return _left(pieces, Manner.TORN, choose)


def _sectors(write: Write) -> Iterable[Write]:
    at, end = write.offset, write.offset + len(write.data)
    while at < end:
        until = min(end, (at // SECTOR_BYTES + 1) * SECTOR_BYTES)
        yield Write(write.file, at, write.data[at - write.offset : until - write.offset])
        at = until


def _changed(content: bytes, operations: Iterable[Write | Truncate]) -> bytes:
    made = bytearray(content)
    for each in operations:
        if isinstance(each, Truncate):
            del made[each.size :]
            made.extend(bytes(each.size - len(made)))
        else:
            made.extend(bytes(max(0, each.offset - len(made))))
            made[each.offset : each.offset + len(each.data)] = each.data
    return bytes(made)


def _renamed(names: Mapping[str, int], operations: Iterable[Naming]) -> dict[str, int]:
    made = dict(names)
    for each in operations:
        match each:
            case Create() | Link():
                made[each.name] = each.file
            case Rename():
                made.pop(each.name, None)
                made[each.new_name] = each.file
            case Delete():
                made.pop(each.name, None)
    return made
