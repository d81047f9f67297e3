"""Bystander: stands where an actor would, hears everything, and does nothing.

In the Strategy's place when AEGIS was started for one errand: nothing is to be decided there, and
whoever tells it something need not know.
"""

from __future__ import annotations

from actors.base import Actor


class Bystander(Actor):
    """Takes any message and forgets it."""

    def receive(self, message: object) -> None:
        """Let it pass."""
