"""Small pictures for a page: a curve over time, and bars; as SVG, with axes that can be read.

Pure. A plot is stretched to the width that there is, its words are not: so it is as legible on a
phone.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from aegis.cli.page.axes import WIDTH, Scale, across, tick_texts, time_ticks
from aegis.cli.page.markup import Markup, element
from aegis.domain.ids import Instant

PADDING, AXIS_HEIGHT = 8, 24
"""Pixels above a plot, and below it for the words of its axis."""

LETTER, LEFT_MIN = 7.2, 56
"""Pixels that a letter of an axis takes, and at least beside a plot: so curves lie in line."""

SLOT_MAX, GAP = 120.0, 0.22
"""The widest that a bar and the gap beside it may be, and the gap's share of that."""

NEAR_EDGE = 0.05
"""The share of the width in which a word would not fit around its middle."""


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """What a picture is called and says, for who hears it; `key` makes its names its own."""

    key: str
    title: str
    text: str


class Point(msgspec.Struct, frozen=True, kw_only=True):
    at: Instant
    value: float


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """`name` is what a pointer is told; `label` stands below it, if anything does."""

    name: str
    label: str
    value: float


def curve(
    points: Sequence[Point], words: Words, *, height: int, hangs: bool = False, unit: str = ""
) -> Markup:
    """Return a line over time, filled below; from above where it `hangs`, as a drawdown does.

    A value holds until the next one, so the line goes in steps: level, then up or down.
    """
    begin, end = points[0].at, points[-1].at
    values = [point.value for point in points]
    scale = Scale.of(values, height, is_from_zero=hangs)
    line = _steps([(across(each.at, begin, end), scale.down(each.value)) for each in points])
    edge = 0 if hangs else height
    marks = [] if hangs else [_level(scale.down(values[0]))]
    plot = _plot(
        height,
        element("path", class_="area", d=f"{line}V{edge}H0Z"),
        *marks,
        element("path", class_="line", d=line, vector_effect="non-scaling-stroke"),
    )
    below = [(across(at, begin, end) / WIDTH, label) for at, label in time_ticks(begin, end)]
    kind = "hanging" if hangs else "rising"
    return _chart(words, scale, plot, kind=kind, unit=unit, below=below)


def bars(given: Sequence[Bar], words: Words, *, height: int, is_signed: bool) -> Markup:
    """Return bars from zero, up or down.

    With `is_signed` a gain and a loss look different, and a label is a bar's own; else bars are
    bins side by side, and a label is that of a bin's lower edge.
    """
    scale = Scale.of([bar.value for bar in given], height, is_from_zero=True)
    slot = min(SLOT_MAX, WIDTH / max(1, len(given)))
    begin = (WIDTH - slot * len(given)) / 2
    zero = scale.down(0.0)
    drawn = []
    for place, bar in enumerate(given):
        top = scale.down(bar.value)
        sign = ("gain" if bar.value > 0 else "loss") if is_signed else "count"
        drawn.append(
            element(
                "rect",
                element("title", bar.name),
                class_=sign,
                x=f"{begin + (place + GAP / 2) * slot:.2f}",
                y=f"{min(top, zero):.1f}",
                width=f"{slot * (1 - GAP):.2f}",
                height=f"{abs(top - zero):.1f}",
            )
        )
    below = [
        ((begin + (place + (0.5 if is_signed else 0)) * slot) / WIDTH, bar.label)
        for place, bar in enumerate(given)
        if bar.label
    ]
    plot = _plot(height, *drawn, _level(zero))
    return _chart(words, scale, plot, kind="bars", unit="", below=below)


def _steps(places: Sequence[tuple[float, float]]) -> str:
    """Return a path that keeps each height until the next place."""
    (x, y), *others = places
    return f"M{x:.1f},{y:.1f}" + "".join(f"H{x:.1f}V{y:.1f}" for x, y in others)


def _chart(
    words: Words,
    scale: Scale,
    drawn: Markup,
    *,
    kind: str,
    unit: str,
    below: Sequence[tuple[float, str]],
) -> Markup:
    """Return a plot with its grid, and the words at its left and below it."""
    texts = [text + unit for text in tick_texts(scale.ticks)]
    downs = [f"{PADDING + scale.down(tick):.1f}" for tick in scale.ticks]
    height, bottom = PADDING + scale.height + AXIS_HEIGHT, PADDING + scale.height
    left = max(LEFT_MIN, round(max(map(len, texts), default=0) * LETTER) + 10)
    ticks_up = [
        element("text", text, x=left - 10, y=down, dy="0.33em", text_anchor="end")
        for text, down in zip(texts, downs, strict=True)
    ]
    title, text_id = f"{words.key}-title", f"{words.key}-text"
    field = element(
        "svg",
        element("title", words.title, id=title),
        element("desc", words.text, id=text_id),
        *(element("line", class_="grid", x1=0, x2="100%", y1=y, y2=y) for y in downs),
        drawn,
        *(_word_below(share, label, bottom + 17) for share, label in below),
        element("line", class_="cursor", x1=0, x2=0, y1=PADDING, y2=bottom),
        class_="field",
        id=words.key,
        role="img",
        aria_labelledby=f"{title} {text_id}",
        height=height,
    )
    ticks = element("svg", *ticks_up, width=left, height=height, aria_hidden="true")
    return element("div", ticks, field, class_=f"chart {kind}")


def _word_below(share: float, label: str, down: int) -> Markup:
    side = "start" if share < NEAR_EDGE else "end" if share > 1 - NEAR_EDGE else "middle"
    return element("text", label, x=f"{100 * share:.2f}%", y=down, text_anchor=side)


def _plot(height: int, *drawn: Markup) -> Markup:
    return element(
        "svg",
        *drawn,
        y=PADDING,
        width="100%",
        height=height,
        viewBox=f"0 0 {WIDTH} {height}",
        preserveAspectRatio="none",
        aria_hidden="true",
    )


def _level(down: float) -> Markup:
    y = f"{down:.1f}"
    return element(
        "line", class_="level", x1=0, x2=WIDTH, y1=y, y2=y, vector_effect="non-scaling-stroke"
    )
