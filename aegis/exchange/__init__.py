"""The other side: exchanges, real and on paper, and the markets that move them.

`ExchangeAdapter` is for people's own programs, and loads when it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aegis.exchange.live.adapter import BadArgument, ExchangeAdapter, KeyDenied, Unavailable

__all__ = ["BadArgument", "ExchangeAdapter", "KeyDenied", "Unavailable"]


def __getattr__(name: str) -> object:
    """Return what people's programs import from here."""
    if name in __all__:
        from aegis.exchange.live import adapter

        return getattr(adapter, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
