"""docs/live.md: its commands are commands, its settings are settings, and its words are said."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.cli.place import ROOT, Foreground, Place
from tests.exchange_server.local import in_thread

DOCUMENT = (ROOT / "docs" / "live.md").read_text()
LOGGING = (ROOT / "docs" / "logging.md").read_text()
BLOCKS = re.findall(r"```\n(.*?)```", DOCUMENT, re.DOTALL)
EXAMPLE = ROOT / "examples" / "local_exchange.toml"
KEYS = {"AEGIS_EXCHANGE__API_KEY": "local-key", "AEGIS_EXCHANGE__SECRET": "local-secret"}


@pytest.fixture
def place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Place:
    made = Place(tmp_path, capsys, monkeypatch)
    (tmp_path / "examples").mkdir()
    shutil.copy(EXAMPLE, tmp_path / "examples")
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    return made


def commands() -> list[str]:
    """Return each command of run.py in the document, those in the text as well."""
    written = re.findall(r"`(?:python )?run\.py ([^`]+)`", DOCUMENT)
    blocks = [line for block in BLOCKS for line in block.splitlines()]
    return [*written, *(line.partition("run.py ")[2] for line in blocks if "run.py " in line)]


@pytest.mark.parametrize("command", sorted(set(commands())))
def test_each_command_is_one(place: Place, command: str) -> None:
    said = place.say(*command.split(), "--help")
    assert said.code == 0, said.err


@pytest.mark.parametrize("line", sorted(set(re.findall(r"`(\w+\.\w+ = [^`]+)`", DOCUMENT))))
def test_each_setting_is_one(place: Place, line: str) -> None:
    market = 'market.source = "exchange"\nmarket.speed = 1\n'
    place.configure(market if line in market else f"{line}\n{market}")
    assert place.say("config", "check").code == 0


def test_the_two_commands_trade_at_the_local_exchange(place: Place, tmp_path: Path) -> None:
    exchange, aegis = BLOCKS[0].splitlines()
    assert exchange == "python -m tests.exchange_server --verbose"
    words = aegis.split()
    assert dict(word.split("=") for word in words[:2]) == KEYS
    assert words[2:4] == ["python", "run.py"]
    with in_thread(tmp_path / "exchange") as local:
        served = {"AEGIS_EXCHANGE__BASE_URL": local.base_url}
        run = Foreground(place.folder, *words[4:], environ={**KEYS, **served})
        try:
            run.wait_for("StrategyArmed")
            assert run.end().code == 0
        finally:
            run.clear()
    assert next(line.split()[2] for line in run.lines if " WARNING " in line) == "LiveTrading"


def test_the_example_differs_from_the_servers_defaults_in_nothing(place: Place) -> None:
    said = place.say("--config", "examples/local_exchange.toml", "config", "check", "--live")
    assert said.out.splitlines()[0] == "ok: live, exchange, BTC/USDT, metronome"
    assert "http://127.0.0.1:8400/exchange/v1" in EXAMPLE.read_text()


@pytest.mark.parametrize(
    "word", sorted(set(re.findall(r"`([A-Z][a-z]+(?:[A-Z][a-z]+)+)`", DOCUMENT)))
)
def test_each_word_of_the_log_is_said(word: str) -> None:
    assert f"| `{word}` |" in LOGGING
