"""The exchanges whose rules AEGIS knows, by the name that the configuration uses."""

from __future__ import annotations

EXCHANGES = frozenset({"cryptocom"})
