"""The program itself, with a Telegram and a webhook on this machine: killed, and made good."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from aegis.clock import SystemClock, sleep
from aegis.store.snapshot import snapshot_of
from tests.crash.process import ROOT, RUN, clean_environment, words
from tests.forked import Forked
from tests.notify.conftest import MakePeer
from tests.notify.messengers import SMOOTH, Odds
from tests.notify.peer import TOKEN, Peer, Telegram

PATIENCE_S = 30.0
HOOK_PATH = "/services/T0SECRET/B0SECRET"
CONFIG = """
[market]
speed = 3600
[strategy]
name = "metronome"
params = {{ period_s = 900 }}
[risk]
daily_loss_max = 100000
drawdown_max_pct = 99
[notify.telegram]
enabled = true
chat_ids = [42]
base_url = "{url}"
[notify.webhook]
enabled = {is_hooked}
"""


class Program:
    """run.py in a folder; only what is started here is ended here."""

    def __init__(self, folder: Path, telegram: Peer, hook: Peer | None) -> None:
        self.folder = folder
        self.store = folder / "data" / "aegis.db"
        config = CONFIG.format(url=telegram.url, is_hooked="true" if hook else "false")
        (folder / "config.toml").write_text(config)
        token = folder / "token"
        token.write_text(TOKEN)
        token.chmod(0o600)
        self._environ = {**clean_environment(), "AEGIS_TELEGRAM__TOKEN_FILE": str(token)}
        if hook is not None:
            self._environ["AEGIS_WEBHOOK__URL"] = hook.url + HOOK_PATH
        self.process: Forked | None = None

    def start(self) -> None:
        program = words(self.folder, RUN, "run")
        self.process = Forked(program, ROOT, self._environ, self.folder / "stderr")

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(PATIENCE_S)

    def end(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(PATIENCE_S)

    def rows(self, channel: str, state: str) -> list[tuple[int, str]]:
        with snapshot_of(self.store, "look") as snapshot:
            found = snapshot.db.execute(
                "SELECT event_id, text FROM notifications WHERE channel = ? AND state = ? "
                "ORDER BY event_id",
                (channel, state),
            )
            return [(int(str(event)), str(text)) for event, text in found]

    def wait_until(self, is_so: object, what: str) -> None:
        assert callable(is_so)
        clock = SystemClock()
        end = clock.monotonic() + PATIENCE_S
        while clock.monotonic() < end:
            if is_so():
                return
            sleep(0.05)
        raise AssertionError(f"Expected {what}; {(self.folder / 'stderr').read_text()[-2000:]}")


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[list[Program]]:
    made: list[Program] = []
    yield made
    for program in made:
        program.kill()


def told(peer: Peer) -> list[str]:
    """Return each notice that arrived, batches taken apart."""
    lines = "\n".join(peer.texts()).splitlines()
    return [
        re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (?=\[)", "", line)
        for line in lines
        if "that waited:" not in line
    ]


def test_all_is_told_over_a_kill_in_the_middle_of_an_outage(
    make_peer: MakePeer, programs: list[Program], tmp_path: Path
) -> None:
    service = Telegram(seed=3, odds=Odds(no_answer=1.0))
    telegram, hook = make_peer(service), make_peer()
    program = Program(tmp_path, telegram, hook)
    programs.append(program)
    program.start()
    program.wait_until(lambda: len(telegram.requests) > 2, "tries in an outage")
    program.wait_until(lambda: len(hook.arrived) > 2, "a webhook that is not held up by it")
    program.kill()
    assert telegram.arrived == []
    before = program.rows("telegram:42", "pending")
    assert len(before) >= 3

    service.odds = SMOOTH
    program.start()
    last = before[-1][0]

    def is_made_good() -> bool:
        sent = program.rows("telegram:42", "sent")
        return bool(sent) and sent[-1][0] > last

    program.wait_until(is_made_good, "what was owed before the kill, and more")
    assert program.end() == 0

    sent = [text for _, text in program.rows("telegram:42", "sent")]
    assert told(telegram)[: len(sent)] == sent
    assert sent[0].startswith("[PAPER] AEGIS started: paper, simulated, BTC/USDT, metronome;")
    events = [request.payload["event_id"] for request in hook.arrived]
    assert list(dict.fromkeys(events)) == sorted(set(events))
    assert {event for event, _ in program.rows("webhook", "sent")} <= set(events)
    for path in (program.folder / "data").iterdir():
        if path.is_file():
            content = path.read_bytes()
            assert TOKEN.encode() not in content, path
            assert b"SECRET" not in content, path


def test_a_hanging_telegram_holds_up_no_end(
    make_peer: MakePeer, programs: list[Program], tmp_path: Path
) -> None:
    telegram = make_peer(Telegram(odds=Odds(hang=1.0)))
    program = Program(tmp_path, telegram, None)
    programs.append(program)
    program.start()
    program.wait_until(lambda: len(telegram.requests) == 1, "a letter on its way")
    clock = SystemClock()
    began = clock.monotonic()
    assert program.end() == 0
    assert clock.monotonic() - began < 10
    assert program.rows("telegram:42", "sent") == []
