"""The measurement of looks, at a size at which it takes a moment."""

from __future__ import annotations

import json

import pytest

from tests.bench import looks
from tests.bench.looks import Look, compare

ANY_MIB = 1e6
"""A child counts what its parent held when it was made: here all of the tests."""


def test_a_goal_that_is_missed_is_an_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = (
        Look(arguments=("status",), wall_s_max=60, repeats=1, memory_mib_max=ANY_MIB),
        Look(arguments=("--version",), wall_s_max=0, repeats=1),
    )
    monkeypatch.setattr(looks, "looks_at", lambda _events: asked)
    assert compare(None, events=300, positions=20, is_json=True) == 1
    status, version = json.loads(capsys.readouterr().out)
    assert (status["look"], status["is_met"]) == ("status", True)
    assert (version["look"], version["is_met"]) == ("--version", False)
