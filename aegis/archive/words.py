"""What is said about backups between actors, and to the process that makes them."""

from __future__ import annotations

import msgspec

from aegis.archive.making import Made
from aegis.archive.shelf import Archive
from aegis.dialogue import Message
from aegis.ports import Overran, Raised


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a maker is told; `made_at` is the wall's time."""

    archive: Archive
    trigger: str
    made_at: str


class BackUpNow(Message, frozen=True, kw_only=True):
    """A timer of the Archivist's own."""

    trigger: str


class BackedUp(Message, frozen=True, kw_only=True):
    """What came of a backup."""

    outcome: Made | Raised | Overran


ArchivistMessage = BackUpNow | BackedUp
