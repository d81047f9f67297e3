"""Which backups have outlived their use: by count, and by age.

Pure. Count alone would let a program that starts again and again push every older day out within
minutes; age alone would keep nothing of a store that was not written to for a week.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from aegis.domain.ids import Instant


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """One backup: `at` is the instant of its last event, `schema` the tables' that it has."""

    name: str
    at: Instant
    schema: int


def outlived(newest_first: Sequence[Kept], *, keep: int, interval_ns: int) -> tuple[str, ...]:
    """Return the names of those that need not be kept.

    Kept are the last `keep`, the last one of each of the last `keep` intervals, and the last one
    of the schema before the newest's: the way back to the program before.
    """
    if not newest_first:
        return ()
    newest = newest_first[0]
    wanted = {each.name for each in newest_first[:keep]}
    days: set[int] = set()
    for each in newest_first:
        day = (newest.at - each.at) // interval_ns
        if abs(day) < keep and day not in days:
            days.add(day)
            wanted.add(each.name)
    older = [each for each in newest_first if each.schema < newest.schema]
    if older:
        before = max(each.schema for each in older)
        wanted.add(next(each.name for each in older if each.schema == before))
    return tuple(each.name for each in newest_first if each.name not in wanted)
