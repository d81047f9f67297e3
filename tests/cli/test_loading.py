"""What is loaded is not searched for garbage, and everything else is."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from aegis.cli.running import Start
from tests.cli.place import ROOT, Place


def test_a_command_works_with_the_search_for_garbage_on(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aegis.cli.config_views.show", lambda _config: f"search={gc.isenabled()}\n")
    assert "search=True" in place.say("config", "show").out


def test_a_run_searches_for_garbage_but_not_among_what_was_loaded(place: Place) -> None:
    seen: list[tuple[bool, bool]] = []

    def start(*_: object, **__: object) -> object:
        seen.append((gc.isenabled(), gc.get_freeze_count() > 0))
        raise SystemExit(0)

    def engine() -> Start:
        seen.append((gc.isenabled(), gc.get_freeze_count() > 0))
        return start  # type: ignore[return-value]  # it ends before it could return anything

    place.say("run", engine=engine)
    assert seen == [(False, True), (True, True)]


@pytest.mark.parametrize("arguments", [("--version",), ("config", "show"), ("no-such-command",)])
def test_a_command_leaves_the_search_as_it_found_it(
    arguments: tuple[str, ...], place: Place
) -> None:
    gc.unfreeze()
    place.say(*arguments)
    assert (gc.isenabled(), gc.get_freeze_count()) == (True, 0)


def test_structlog_is_there_as_a_whole_for_whoever_asks() -> None:
    code = "import aegis.log.logger, sys; assert 'rich' not in sys.modules; import structlog; "
    asked = "assert structlog.get_logger() and 'rich' in sys.modules; "
    same = "assert aegis.log.logger.BoundLoggerBase is structlog.BoundLoggerBase"
    subprocess.run([sys.executable, "-c", code + asked + same], cwd=ROOT, check=True)
