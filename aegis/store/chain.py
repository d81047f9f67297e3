"""The chain: each event's hash covers it and, through the hash before it, all that came before.

Covered are: the hash before, number, position, type, version, the stored bytes, actor,
timestamp; each framed by its length in bytes. Never a batch, epoch, process, path or duration:
equal histories have equal hashes.
"""

from __future__ import annotations

import hashlib

GENESIS = "0" * 64
"""What stands in place of a hash before the first event."""

_FRAME = b"%d:%b" * 8


def link(
    prev_hash: str,
    *,
    event_id: int,
    position_id: str,
    event_type: str,
    version: int,
    data: bytes,
    actor: str,
    timestamp: str,
) -> str:
    """Return the hash of an event, as 64 hexadecimal digits."""
    before, number = prev_hash.encode(), b"%d" % event_id
    position, kind, count = position_id.encode(), event_type.encode(), b"%d" % version
    who, when = actor.encode(), timestamp.encode()
    framed = _FRAME % (
        *(len(before), before, len(number), number, len(position), position),
        *(len(kind), kind, len(count), count, len(data), data),
        *(len(who), who, len(when), when),
    )
    return hashlib.sha256(framed).hexdigest()
