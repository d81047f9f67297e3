"""What every event is: a fact in the past tense, with the version of its shape."""

from __future__ import annotations

import msgspec


class BaseEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):  # holds no cycle
    schema: int = 1
