"""Older shapes of events, made into those that this program knows, as they are read.

The log is never rewritten: what was stored stays as it was, and is hashed so. A field that was
added with a default needs nothing here, as the default says what the older event meant. Whatever
else changes an event's shape, or what a field of it means, raises the type's `schema` by one and
registers the way from the shape before.

Invariants:
1. A way leads from one schema to the next; older ones take all ways in a row.
2. A released way, and the stored example of the shape that it begins with, stay for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Fields = dict[str, Any]
"""An event's JSON: figures are still text."""

Upcast = Callable[[Fields], Fields]

UPCASTS: dict[tuple[str, int], Upcast] = {}
"""Name and schema -> what makes the next schema's fields; none was needed so far."""


def upcast(
    name: str, fields: Fields, ways: Mapping[tuple[str, int], Upcast] = UPCASTS
) -> Fields | None:
    """Return the fields as the newest schema has them; None where no way begins with theirs."""
    schema = fields.get("schema", 1)
    if not isinstance(schema, int) or (name, schema) not in ways:
        return None
    while (name, schema) in ways:
        fields = {**ways[name, schema](fields), "schema": schema + 1}
        schema += 1
    return fields
