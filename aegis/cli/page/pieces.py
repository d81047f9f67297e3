"""What every part of the page is made with: a section, a table, and how figures are written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

from aegis.cli.page.markup import Markup, element
from aegis.cli.wording import moment

_MINUS = re.compile(r"(?<![\w-])-(?=\d)")
_NOTHING = re.compile(r"(?<!\S)-(?!\S)")


def section(title: str, beside: Markup | None, *children: Markup | None) -> Markup:
    """Return a card with a heading, and a few words beside it."""
    return element(
        "section", element("div", element("h2", title), beside, class_="head"), *children
    )


def table(
    heads: Sequence[str], rows: Sequence[Markup], *, left: int, name: str | None = None
) -> Markup:
    """Return a table; its first `left` columns begin at the left, as words do."""
    cells = [
        element("th", head, scope="col", class_="r" if place >= left else None)
        for place, head in enumerate(heads)
    ]
    return element(
        "table",
        element("thead", element("tr", *cells)),
        element("tbody", *rows),
        class_=name,
    )


def minute(at: object) -> str:
    """Return an instant to the minute."""
    return moment(at)[:16]


def typeset(words: str) -> str:
    """Return words with a minus as wide as a digit, and a dash where there is no figure."""
    return _NOTHING.sub("\N{EN DASH}", _MINUS.sub("\N{MINUS SIGN}", words))


def sign_of(value: Decimal | None) -> str:
    """Return what kind of figure it is: gain, loss, or neither."""
    if value is None or value == 0:
        return ""
    return "gain" if value > 0 else "loss"
