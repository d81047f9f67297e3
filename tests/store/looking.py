"""A look at a log for tests: events as programs get them."""

from __future__ import annotations

from pathlib import Path

from aegis.domain.ids import PositionId
from aegis.store.reading import View
from aegis.store.story import Stretch, event_view, read_stretch


def read_history(path: Path, position: str | None = None, limit: int = 1_000) -> tuple[View, ...]:
    """Return the last events, eldest first."""
    own = None if position is None else PositionId(position)
    pages = read_stretch(path, Stretch(position=own, most=limit))
    return tuple(event_view(stored) for page in pages for stored in page)
