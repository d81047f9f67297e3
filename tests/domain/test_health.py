"""A running AEGIS is judged by what it completed, not by being alive."""

from __future__ import annotations

import pytest

from aegis.domain.health import Health, judge


def judged(
    holder_pid: int | None = 7,
    heartbeat_age_s: int | None = 10,
    completed: int = 5,
    cause: str = "",
    *,
    is_first: bool = False,
    is_denied: bool = False,
) -> Health:
    return judge(
        holder_pid=holder_pid,
        heartbeat_age_s=heartbeat_age_s,
        completed=completed,
        is_first=is_first,
        cause=cause,
        interval_s=60,
        is_denied=is_denied,
    )


@pytest.mark.parametrize(
    "health",
    [
        judged(),
        judged(heartbeat_age_s=0, completed=1),
        judged(heartbeat_age_s=120),
        judged(completed=0, is_first=True),
        judged(cause="operator"),
        judged(cause="daily_loss"),
    ],
)
def test_what_completes_cycles_is_well(health: Health) -> None:
    assert health.is_healthy
    assert health.text.startswith("healthy: ")


@pytest.mark.parametrize(
    ("health", "word"),
    [
        (judged(holder_pid=None), "stopped"),
        (judged(holder_pid=None, heartbeat_age_s=None), "stopped"),
        (judged(heartbeat_age_s=None), "not armed yet: pid 7"),
        (judged(heartbeat_age_s=121), "stuck: the last heartbeat is 121 s old"),
        (judged(heartbeat_age_s=121, is_first=True), "stuck"),
        (judged(completed=0), "idle"),
        (judged(cause="strategy"), "the strategy gave up"),
        (judged(cause="flatten", is_denied=True), "the exchange denied the key"),
        (judged(cause="key_denied"), "the exchange denied the key"),
        (judged(cause="strategy", is_first=True), "the strategy gave up"),
    ],
)
def test_what_does_not_is_not_and_says_why(health: Health, word: str) -> None:
    assert not health.is_healthy
    assert health.text.startswith(word)
