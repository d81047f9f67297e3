"""Whether a running AEGIS is well: judged by what it completed, not by being alive."""

from __future__ import annotations

import msgspec


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict, and the sentence that says why."""

    is_healthy: bool
    text: str


def judge(
    *,
    holder_pid: int | None,
    heartbeat_age_s: int | None,
    completed: int,
    is_first: bool,
    cause: str,
    interval_s: int,
    is_denied: bool = False,
) -> Health:
    """Judge by the last heartbeat: its age in real seconds and the cycles it completed.

    `cause` is the trading state's, which a key that `is_denied` may not be: a halt before it stays.
    The first heartbeat comes with the arming and counts nothing.
    """
    if holder_pid is None:
        return Health(is_healthy=False, text="stopped: nobody holds the store")
    if heartbeat_age_s is None:
        return Health(is_healthy=False, text=f"not armed yet: pid {holder_pid}, no heartbeat")
    if heartbeat_age_s > 2 * interval_s:
        return Health(
            is_healthy=False,
            text=f"stuck: the last heartbeat is {heartbeat_age_s} s old, expected {interval_s} s",
        )
    if cause == "strategy":
        return Health(is_healthy=False, text="the strategy gave up: entries halted, stops guarded")
    if is_denied or cause == "key_denied":
        return Health(is_healthy=False, text="the exchange denied the key: see to it, then resume")
    if is_first:
        return Health(is_healthy=True, text=f"healthy: armed {heartbeat_age_s} s ago")
    if completed == 0:
        return Health(is_healthy=False, text="idle: nothing was completed since the last one")
    return Health(is_healthy=True, text=f"healthy: {completed} cycles in {interval_s} s")
