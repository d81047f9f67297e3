"""A key, a secret and a token that can be recognised are found nowhere, whatever goes wrong."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from aegis.config.secret import HIDDEN
from aegis.control import Ask, ask
from tests.cli.live_place import BEATS, everything_in, settle
from tests.cli.place import Foreground, Place
from tests.exchange_server.faults import Fault, Rule
from tests.exchange_server.local import Control, Local, process

Start = Callable[..., Foreground]

KEY = "CANARYKEYofALiveRun71"
SECRET = "CANARYSECRETofALiveRun72"  # noqa: S105  of an exchange that does not exist
TOKEN = "7373737373:CANARYTOKENofALiveRun73"  # noqa: S105  of a bot that does not exist
WORDS = ("CANARYKEY", "CANARYSECRET", "CANARYTOKEN")

MORE = """
[log]
level = "debug"
[notify.telegram]
enabled = true
chat_ids = [1]
base_url = "http://127.0.0.1:9"
"""

LEAKY = BEATS.replace(
    "        return None if is_holding else Signal.ENTER\n",
    "        import os\n"
    "        self.seen = getattr(self, 'seen', 0) + 1\n"
    "        if self.seen == 2:\n"
    "            raise RuntimeError(os.environ['AEGIS_EXCHANGE__API_KEY'], self.seen)\n"
    "        return None if is_holding else Signal.ENTER\n",
)
"""A person's strategy that says what it should not, and dies of it."""

BAD_ANSWERS = (
    Fault.DROP_BEFORE, Fault.DROP_AFTER, Fault.SILENCE, Fault.HTML_502_AFTER, Fault.HTML_429,
    Fault.REVOKED, Fault.HTML_403, Fault.MALFORMED, Fault.TRUNCATED, Fault.EMPTY, Fault.NULLS,
    Fault.NO_DATA, Fault.MAINTENANCE, Fault.TIMES,
)  # fmt: skip


COMMANDS = (
    "reconcile --live", "diagnose --live --json",
    "config show", "config show --json", "config check --live",
    "status", "status --json", "history --json", "health", "verify", "backup",
    "export --what events --format jsonl --out events.jsonl", "report --html page.html",
)  # fmt: skip


def secrets() -> dict[str, str]:
    return {
        "AEGIS_EXCHANGE__API_KEY": KEY,
        "AEGIS_EXCHANGE__SECRET": SECRET,
        "AEGIS_TELEGRAM__TOKEN": TOKEN,
    }


def storm(control: Control, share: float) -> None:
    """Let each fault befall some requests."""
    control.faults(*(Rule(fault=each, probability=share, seconds=0.2) for each in BAD_ANSWERS))


def expect_clean(said: str) -> None:
    found = [word for word in WORDS if word in said]
    assert not found, said[max(0, said.index(found[0]) - 400) :][:800]


def live_through(place: Place, local: Local, start: Start) -> tuple[Foreground, list[str]]:
    """Live through a storm, ask what can be asked meanwhile; return the run, and the answers."""
    aegis = start("run", "--live", **secrets())
    aegis.wait_for("StrategyArmed")
    storm(local.control, 0.06)
    aegis.wait_for("ActorDied")
    answers = [
        json.dumps(str(ask(place.store, Ask(command=command))))
        for command in ("status", "diagnose")
    ]
    aegis.process.send_signal(signal.SIGHUP)
    aegis.wait_for("ConfigRead")
    local.control.fault(Fault.REVOKED, "any")
    aegis.wait_for("KeyDenied")
    return aegis, answers


def test_no_secret_is_found_anywhere(
    place: Place,
    foreground: Start,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder: Path = tmp_path_factory.mktemp("exchange")
    with process(folder, "--key", KEY, "--secret", SECRET) as local:
        settle(place.folder, local, more=MORE)
        (place.folder / "beats.py").write_text(LEAKY)
        aegis, answers = live_through(place, local, foreground)
        said = aegis.end()
        for name, value in secrets().items():
            monkeypatch.setenv(name, value)
        told = [place.say(*command.split()) for command in COMMANDS]
        leaving = foreground("flatten", "--live", **secrets())
        leaving.wait_for("KeyDenied")  # it goes on to try each exit for a while
        leaving.clear()
    expect_clean("".join([*answers, *leaving.lines]))
    expect_clean(said.out + said.err)
    expect_clean("".join(each.out + each.err for each in told))
    expect_clean(everything_in(place.folder).decode("latin-1"))
    assert HIDDEN in said.err, "Expected the strategy's own words to be there, and hidden"
