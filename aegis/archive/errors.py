"""What can go wrong with backups, each as one line for a person."""

from __future__ import annotations


class ArchiveError(Exception):
    """A backup cannot be made, found or trusted; the text says what was expected and what came."""


class ArchiveBusyError(ArchiveError):
    """Somebody makes a backup there now; waiting alone mends it."""
