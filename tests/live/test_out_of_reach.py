"""Live: what a person is told whose command needs an exchange that cannot be asked now."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis.domain.ids import NANOS_PER_SECOND
from tests.exchange_server.faults import Fault
from tests.live.account import AccountWorld

WITHIN_S = 30
"""The control socket waits no longer."""


@pytest.mark.parametrize(
    ("fault", "since_s", "unread"),
    [
        (Fault.REVOKED, 0, "key_denied"),
        (Fault.HTML_503_BEFORE, 0, "unreached"),
        (Fault.SILENCE, 60, "unreached"),
    ],
)
def test_who_asks_for_a_comparison_is_told_in_time_why_there_is_none(
    tmp_path: Path, fault: Fault, since_s: int, unread: str
) -> None:
    with AccountWorld(tmp_path) as world:
        world.hold()
        world.fault(fault, "private")
        world.run_for(since_s)
        asked_at = world.now()
        reply = world.say("reconcile")
        assert (reply.is_done, reply.unread) == (False, unread)
        assert (world.now() - asked_at) / NANOS_PER_SECOND < WITHIN_S

        world.faults()
        world.run_for(120)
        assert world.say("reconcile").is_done
