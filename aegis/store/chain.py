"""The chain: each event's hash covers it and, through the hash before it, all that came before.

Covered are: the hash before, number, position, type, version, the stored bytes, actor,
timestamp; each framed by its length in bytes. Never a batch, epoch, process, path or duration:
equal histories have equal hashes.
"""

from __future__ import annotations

import hashlib

import msgspec

from aegis.domain.ids import EventId, PositionId

GENESIS = "0" * 64
"""What stands in place of a hash before the first event."""

_FRAME = b"%d:%b" * 8


class LoggedEvent(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a row of the log says, which is what its hash covers. `data` is the stored bytes."""

    event_id: EventId
    position_id: PositionId
    event_type: str
    data: bytes
    actor: str
    timestamp: str
    version: int


def link(prev_hash: str, logged: LoggedEvent) -> str:
    """Return the hash of an event, as 64 hexadecimal digits."""
    before, number = prev_hash.encode(), b"%d" % logged.event_id
    position, kind = logged.position_id.encode(), logged.event_type.encode()
    count, data = b"%d" % logged.version, logged.data
    who, when = logged.actor.encode(), logged.timestamp.encode()
    framed = _FRAME % (
        len(before), before, len(number), number, len(position), position, len(kind), kind,
        len(count), count, len(data), data, len(who), who, len(when), when,
    )  # fmt: skip
    return hashlib.sha256(framed).hexdigest()
