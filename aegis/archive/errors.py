"""What can go wrong with backups, as one line for a person."""

from __future__ import annotations


class ArchiveError(Exception):
    """A backup cannot be made, found or trusted; the text says what was expected and what came."""
