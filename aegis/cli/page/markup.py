"""HTML and SVG by construction: what is not markup already is escaped, whatever it says.

Pure. Nothing else in the house writes a tag.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

VOID = frozenset({"meta", "br", "wbr"})


class Markup(str):
    """Text that is markup: only `element` and `joined` make it, and a file of our own."""

    __slots__ = ()


Child = str | Markup | None


def element(tag: str, *children: Child, **attributes: str | int | bool | None) -> Markup:
    """Return an element with its children; a child that is no markup is escaped.

    An attribute's name ends in `_` where it is a word of Python's, `_` in it is written `-`; None
    and False leave it out, True writes the name alone.
    """
    words = [tag]
    for name, value in attributes.items():
        written = name.removesuffix("_").replace("_", "-")
        if value is True:
            words.append(written)
        elif value is not None and value is not False:
            words.append(f'{written}="{escape(str(value))}"')
    opening = f"<{' '.join(words)}>"
    return Markup(opening if tag in VOID else f"{opening}{joined(children)}</{tag}>")


def joined(children: Iterable[Child]) -> Markup:
    """Return children one after another; what is no markup is escaped, None is nothing."""
    return Markup("".join(_safe(child) for child in children if child is not None))


def _safe(child: str) -> str:
    return child if isinstance(child, Markup) else escape(child)
