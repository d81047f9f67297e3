"""The page of a report, without a browser: what it says, and what it can never say."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from decimal import Decimal
from html.parser import HTMLParser

import msgspec
import pytest

from aegis.cli.page.axes import Scale, nice_step, tick_texts, ticks, time_ticks
from aegis.cli.page.document import document
from aegis.cli.page.drawing import Bar, Point, Words, bars, curve
from aegis.cli.page.markup import Markup, element, joined
from aegis.cli.page.pieces import typeset
from aegis.cli.page.report import Report, page
from aegis.domain.ids import Coin, Incarnation, Instant, Symbol
from aegis.domain.position import Position
from aegis.domain.statistics.path import DAY_NS, EquityPath, EquityPoint, equity_path
from aegis.domain.statistics.summary import summarize
from aegis.store.identity import Identity, StoredIdentity
from aegis.store.measuring import Measures
from tests.domain.kit import BTC_USDT, START, Desk, seconds
from tests.domain.test_statistics import trade

USDT = Coin("USDT")
HOSTILE = "</script><script>document.title='owned'</script><img src=http://127.0.0.1:9/x>&\"'"
WORDS = Words(key="k", title="A title", text="A text")
VOID = {"meta"}


def path_of(closed: list[Position]) -> EquityPath | None:
    """Return a path that steps by what each trade brought."""
    points, equity = [EquityPoint(at=START, equity=Decimal(1000))], 1000.0
    for each in closed:
        equity += float(each.pnl)
        at = each.closed_at or START
        points.append(EquityPoint(at=at, equity=Decimal(f"{equity:.6f}")))
    return equity_path(points, since=Instant(0), end_at=points[-1].at)


def report_of(
    closed: list[Position], alive: tuple[Position, ...] = (), *, market: str = "simulated:1"
) -> Report:
    path = path_of(closed)
    identity = Identity(mode="paper", exchange="cryptocom", account="main", market=market)
    found = Measures(
        identity=StoredIdentity(
            identity=identity, incarnation=Incarnation("first"), created_at=START
        ),
        begin_at=START,
        end_at=path.end_at if path else START,
        closed=tuple(closed),
        alive=alive,
        refused={},
        path=path,
        reconciliations=1,
        events=7,
        head_hash="ab" * 32,
        database_bytes=4096,
    )
    summary = summarize(found.closed, alive=alive, path=path)
    return Report(quote=USDT, symbols=(Symbol("BTC/USDT"),), found=found, summary=summary)


def some(count: int, **changes: object) -> list[Position]:
    """Return trades, one an hour, that now gain and now lose."""
    return [
        trade(
            str((number * 7) % 11 - 5),
            number,
            closed_at=Instant(START + seconds(3600 * number + 60)),
            **changes,
        )
        for number in range(count)
    ]


class Reader(HTMLParser):
    """Which tags, attributes and texts a page has; that each tag is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.names: set[str] = set()
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.names |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)


# Markup -------------------------------------------------------------------------------------


def test_what_is_no_markup_is_escaped_wherever_it_stands() -> None:
    made = element("p", "a<b", element("i", "c&d"), title='"e"', class_="x", data_by=3)
    assert made == ('<p title="&quot;e&quot;" class="x" data-by="3">a&lt;b<i>c&amp;d</i></p>')


def test_nothing_is_left_out_and_markup_stays_markup() -> None:
    assert element("br", hidden=True, title=None, id=False) == "<br hidden>"
    assert joined([None, "<", Markup("<b>")]) == "&lt;<b>"


# Axes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("span", "step"), [(1, 0.2), (9, 2), (94, 20), (300, 100), (0.004, 0.001), (1e6, 200_000)]
)
def test_a_step_is_a_round_one(span: float, step: float) -> None:
    assert nice_step(span, 5) == pytest.approx(step)


def test_ticks_are_round_and_inside() -> None:
    assert ticks(9_681.0, 10_024.0) == (9_700, 9_800, 9_900, 10_000)
    assert tick_texts((-0.5, 0.0, 0.5)) == ["\N{MINUS SIGN}0.5", "0", "0.5"]
    assert tick_texts((9_900.0, 10_000.0)) == ["9,900", "10,000"]


@pytest.mark.parametrize("values", [[5.0], [0.0, 0.0], [-3.0, -3.0], [1e-9, 2e-9], [-5.0, 7.0]])
@pytest.mark.parametrize("is_from_zero", [False, True])
def test_every_value_lies_inside_its_scale(values: list[float], *, is_from_zero: bool) -> None:
    scale = Scale.of(values, 100, is_from_zero=is_from_zero)
    assert all(0 <= scale.down(value) <= 100 for value in values)
    assert scale.ticks


def test_a_scale_from_zero_spares_nothing_beyond_it() -> None:
    assert Scale.of([-3.0], 100, is_from_zero=True).down(0.0) == 0
    assert Scale.of([3.0], 100, is_from_zero=True).down(0.0) == 100


@pytest.mark.parametrize(
    ("length_s", "words"),
    [
        (200, ["00:01", "00:02", "00:03"]),
        (6 * 3600, ["02:00", "04:00", "06:00"]),
        (5 * 86_400, ["2 Jan", "3 Jan", "4 Jan"]),
        (90 * 86_400, ["Jan 2024", "Feb 2024", "Mar 2024"]),
        (400 * 86_400, ["Jan 2024", "Jul 2024", "Jan 2025"]),
        (9_000 * 86_400, ["Jan 2025", "Jan 2045"]),
    ],
)
def test_time_is_told_in_words_that_fit_its_length(length_s: int, words: list[str]) -> None:
    told = time_ticks(START, Instant(START + seconds(length_s)))
    assert set(words) <= {word for _, word in told}
    assert len(told) <= 11
    assert all(START <= at <= START + seconds(length_s) for at, _ in told)


def test_a_minus_is_one_and_a_date_stays_a_date() -> None:
    told = typeset("-5.2 to -1 on 2024-01-31, - or -")
    assert told == "\N{MINUS SIGN}5.2 to \N{MINUS SIGN}1 on 2024-01-31, \N{EN DASH} or \N{EN DASH}"


# Pictures -----------------------------------------------------------------------------------


def test_a_curve_has_a_step_for_each_point_and_a_name() -> None:
    points = [Point(at=Instant(START + seconds(n)), value=float(n % 3)) for n in range(10)]
    made = curve(points, WORDS, height=100)
    (line,) = re.findall(r'class="line" d="([^"]+)"', made)
    assert line.count("V") == 9
    assert ">A title</title>" in made
    assert 'role="img"' in made


def test_bars_are_as_high_as_their_values() -> None:
    given = [Bar(name=str(value), label="", value=value) for value in (2.0, -1.0, 0.0)]
    made = bars(given, WORDS, height=100, is_signed=True)
    heights = [float(each) for each in re.findall(r'<rect [^>]*height="([\d.]+)"', made)]
    assert heights[0] == pytest.approx(2 * heights[1], abs=0.2)
    assert heights[2] == 0
    assert re.findall(r'<rect class="(\w+)"', made)[:2] == ["gain", "loss"]


# The page -----------------------------------------------------------------------------------


def test_a_page_is_well_formed_and_names_nothing_outside_itself() -> None:
    made = page(report_of(some(40), (Desk().holding(),)))
    reader = Reader(made)
    assert reader.open == []
    assert not reader.names & {"src", "href", "style", "onclick", "onload", "srcset"}
    assert not set(reader.tags) & {"img", "link", "iframe", "form", "object", "embed"}
    assert "http:" not in made.replace("http-equiv", "")
    assert "url(" not in made


def test_its_policy_allows_its_own_style_and_script_and_nothing_else() -> None:
    made = page(report_of(some(3)))
    policy = re.findall(r'Content-Security-Policy" content="([^"]+)"', made)[0]
    for tag in ("style", "script"):
        (text,) = re.findall(f"<{tag}>(.*?)</{tag}>", made, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src &#x27;sha256-{digest}&#x27;;" in policy
    assert policy.startswith("default-src &#x27;none&#x27;;")
    assert "unsafe" not in policy


def test_whatever_the_store_says_is_words() -> None:
    hostile = some(2, close_reason=HOSTILE, strategy=HOSTILE, symbol=Symbol(HOSTILE))
    made = page(report_of(hostile, market=HOSTILE))
    assert "<img" not in made
    assert made.count("<script") == 2
    assert "owned" in made


def test_no_word_ends_what_the_script_reads() -> None:
    made = document("t", element("main"), [(1, HOSTILE)])
    (data,) = re.findall(r'id="points">(.*?)</script>', made)
    assert json.loads(data) == [[1, HOSTILE]]


def test_equal_stores_make_equal_pages() -> None:
    assert page(report_of(some(20))) == page(report_of(some(20)))


def test_each_trade_is_a_row_and_so_is_what_is_open() -> None:
    made = page(report_of(some(123), (Desk().holding(),)))
    assert len(re.findall(r'<tr title="position p-\d+, test">', made)) == 123
    assert made.count("<tr title=") == 124


def test_key_figures_are_those_of_the_summary() -> None:
    made = page(report_of(some(40)))
    texts = Reader(made).texts
    assert "40" in texts["dd"]
    assert (
        f"{sum(float(each.pnl) for each in some(40)):,.2f}".replace("-", "\N{MINUS SIGN}") in made
    )


def test_days_without_a_trade_have_their_place() -> None:
    far = trade("3", 99, closed_at=Instant(START + 9 * DAY_NS))
    made = page(report_of([*some(2), far]))
    days = made[made.index('id="days"') :]
    assert days[: days.index("</svg>")].count("<rect") == 10


def test_without_trades_a_page_says_so() -> None:
    made = page(report_of([]))
    assert Reader(made).open == []
    assert "No trades yet" in made
    assert "Profit factor" not in made


def test_without_stops_the_spread_is_of_money() -> None:
    made = page(report_of(some(9, stop_first=None)))
    assert "Trades by P&amp;L, USDT" in made
    assert "no trade had a stop" in made


@pytest.mark.parametrize("pnls", [["0"], ["5"], ["-5"], ["0", "0"], ["1e-9", "-1e-9"], ["1e9"]])
def test_odd_results_can_be_drawn(pnls: list[str]) -> None:
    closed = [
        trade(pnl, number, closed_at=Instant(START + seconds(60)))
        for number, pnl in enumerate(pnls)
    ]
    assert Reader(page(report_of(closed))).open == []


def test_what_never_fell_has_no_drawdown_to_draw() -> None:
    made = page(report_of([trade("5")]))
    assert "The equity never fell." in made


def test_what_is_unpriced_is_told_among_the_notes() -> None:
    gone = msgspec.structs.replace(trade("0", 9), is_unpriced=True)
    made = page(report_of([trade("5"), gone]))
    notes = made[made.index("What is not measured") :]
    assert "p-9" in notes
    assert BTC_USDT in made
