"""What is kept of backups: the latest, one an interval, and the way back to the program before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aegis.domain.ids import Instant
from aegis.domain.retention import Kept, outlived

DAY_NS = 86_400 * 1_000_000_000
HOUR_NS = DAY_NS // 24


def kept(hours: int, schema: int = 4) -> Kept:
    """Return a backup whose last event was so many hours after the first one's."""
    return Kept(name=f"{hours}h-s{schema}", at=Instant(hours * HOUR_NS), schema=schema)


def left(backups: list[Kept], keep: int) -> list[str]:
    gone = outlived(backups, keep=keep, interval_ns=DAY_NS)
    return [each.name for each in backups if each.name not in gone]


def test_the_last_ones_are_kept_however_old_they_are() -> None:
    assert left([kept(9_000), kept(100), kept(0)], keep=3) == ["9000h-s4", "100h-s4", "0h-s4"]


def test_starts_in_a_row_do_not_push_the_days_before_out() -> None:
    days = [kept(24 * day) for day in (6, 5, 4, 3, 2, 1)]
    starts = [kept(7 * 24 + hour) for hour in range(20, 0, -1)]
    names = left([*starts, *days], keep=7)
    assert {each.name for each in days} <= set(names)
    assert [name for name in names if name in {each.name for each in starts}] == [
        each.name for each in starts[:7]
    ]


def test_what_is_older_than_all_intervals_and_not_among_the_last_goes() -> None:
    daily = [kept(24 * day) for day in range(30, 0, -1)]
    assert left(daily, keep=7) == [each.name for each in daily[:7]]


def test_the_last_one_of_the_schema_before_stays() -> None:
    old = [kept(2, schema=3), kept(1, schema=3), kept(0, schema=2)]
    new = [kept(24 * day, schema=4) for day in range(60, 50, -1)]
    assert left([*new, *old], keep=2) == [new[0].name, new[1].name, "2h-s3"]


def test_no_backups_are_nothing_to_do() -> None:
    assert outlived([], keep=1, interval_ns=DAY_NS) == ()


@given(st.lists(st.integers(0, 2_000), max_size=40), st.integers(1, 9))
def test_the_newest_stays_and_never_more_than_can_be_reasoned(hours: list[int], keep: int) -> None:
    backups = [kept(hour) for hour in sorted(set(hours), reverse=True)]
    names = left(backups, keep)
    assert names[:1] == [each.name for each in backups[:1]]
    assert len(names) <= 2 * keep
    assert not set(left([b for b in backups if b.name in names], keep)) - set(names)
