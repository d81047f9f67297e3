"""A hint that names a command can be given as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis.cli.calling import as_called, call, note_call
from aegis.config.model import Config
from tests.cli.place import Place


def hinted(named: str | None, mode: str, text: str, **environ: str) -> str:
    config = Config.model_construct(mode=mode)
    with call():
        note_call(None if named is None else Path(named), config, environ)
        return as_called(text)


@pytest.mark.parametrize(
    ("named", "mode", "environ", "told"),
    [
        (None, "paper", {}, "python run.py resume"),
        ("mine/a.toml", "paper", {}, "python run.py --config mine/a.toml resume"),
        (None, "live", {}, "python run.py --live resume"),
        (None, "live", {"AEGIS_LIVE": "1"}, "python run.py resume"),
        ("my a.toml", "live", {}, "python run.py --config 'my a.toml' --live resume"),
    ],
)
def test_a_hint_has_the_options_that_reach_this_aegis(
    named: str | None, mode: str, environ: dict[str, str], told: str
) -> None:
    assert hinted(named, mode, "python run.py resume", **environ) == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("start it with: python run.py", "start it with: python run.py --live"),
        ("stop AEGIS: run.py recover, then", "stop AEGIS: run.py --live recover, then"),
        ("bots/run.py/aegis.db", "bots/run.py/aegis.db"),
        ("./run.py.bak", "./run.py.bak"),
    ],
)
def test_only_the_program_in_a_sentence_is_a_hint(text: str, told: str) -> None:
    assert hinted(None, "live", text) == told


def test_what_was_noted_of_a_call_ends_with_it() -> None:
    hinted("a.toml", "live", "")
    assert as_called("run.py") == "run.py"


def test_who_looks_with_a_file_of_his_own_is_told_how_to_start_with_it(place: Place) -> None:
    (place.folder / "mine.toml").write_text('[exchange]\nsymbols = ["BTC/USDT"]\n')
    said = place.say("status", "--config", "mine.toml")
    assert said.out.rstrip().endswith("start with: python run.py --config mine.toml")
