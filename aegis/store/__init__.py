"""The store: one file, one writer, one truth. The only door to SQLite.

`journal.Store` writes, `reading`, `inspector` and `verify` look. `PositionStateManager` is for
people's own programs, and loads when it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aegis.store.errors import Refused
    from aegis.store.position_state_manager import PositionStateManager

__all__ = ["PositionStateManager", "Refused"]


def __getattr__(name: str) -> object:
    """Return what people's programs import from here."""
    if name == "PositionStateManager":
        from aegis.store.position_state_manager import PositionStateManager

        return PositionStateManager
    if name == "Refused":
        from aegis.store.errors import Refused

        return Refused
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
