"""Events as bytes: the JSON that is stored and hashed, and the way back from any released shape."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from aegis.domain.events import EVENT_TYPES, Event, PositionMarked
from aegis.domain.upcasting import UPCASTS, upcast

SCHEMAS: dict[str, int] = {
    name: next(each.default for each in msgspec.structs.fields(kind) if each.name == "schema")
    for name, kind in EVENT_TYPES.items()
}
"""Name in the log -> the schema that this program writes."""

_MARKED = PositionMarked.__name__

_ENCODER = msgspec.json.Encoder(decimal_format="string")
_DECODE = {name: msgspec.json.Decoder(kind).decode for name, kind in EVENT_TYPES.items()}


def encode(event: Event) -> bytes:
    """Return the JSON bytes that are stored and hashed."""
    return _ENCODER.encode(event)


def decode(name: str, data: bytes) -> Event:
    """Return the event that was stored under a name, an older schema of it upcast.

    Raises `msgspec.ValidationError` on a shape that the name does not have, or not yet in this
    program, and `KeyError` on an unknown name; to a reader of the log both are corruption.
    """
    try:
        event: Event = _DECODE[name](data)
    except msgspec.ValidationError:
        return _upcast(name, data)
    if event.schema == SCHEMAS[name]:
        return event
    if event.schema > SCHEMAS[name]:
        said = f"{name} has schema {SCHEMAS[name]} here, was {event.schema}: a newer AEGIS wrote it"
        raise msgspec.ValidationError(said)
    return _upcast(name, data) if (name, event.schema) in UPCASTS else event


def decode_marks(texts: Sequence[bytes]) -> list[PositionMarked]:
    """Return what `decode` makes of marks, quicker; `msgspec.DecodeError` where it would raise."""
    marks: list[PositionMarked] = list(map(_DECODE[_MARKED], texts))
    if {mark.schema for mark in marks} <= {SCHEMAS[_MARKED]}:
        return marks
    return msgspec.convert([decode(_MARKED, text) for text in texts], list[PositionMarked])


def _upcast(name: str, data: bytes) -> Event:
    """Return an event by way of its fields; raises what is wrong with it where there is no way."""
    fields = upcast(name, msgspec.json.decode(data, type=dict))
    event: Event = _DECODE[name](data if fields is None else _ENCODER.encode(fields))
    return event
