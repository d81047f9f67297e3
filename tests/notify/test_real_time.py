"""The Notifier on threads, over a real store, against a Telegram on this machine that goes wrong.

A few seconds of it each time, and a minute with --long.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec
import pytest

from aegis.config.secret import Secret
from aegis.domain.delivery import Manners
from aegis.notify import http
from aegis.notify.telegram import TelegramMessenger
from aegis.store.snapshot import snapshot_of
from tests.notify.conftest import MakePeer
from tests.notify.messengers import SMOOTH, Odds
from tests.notify.peer import TOKEN, Peer, Telegram
from tests.simulation.candles import flat
from tests.simulation.world import World

BAD = Odds(asked_to_wait=0.1, no_answer=0.15, hang=0.05, lost_answer=0.15)
SCRIPT = {"enters": [0], "leaves": [2], "period": 4}
SPEED = 600
SILENCE_S = 1.5
"""A loaded machine may hold an answer up; one that is given up early counts as no lost one."""

CANDLES_A_SECOND = SPEED // 60


class Hurried(TelegramMessenger):
    """Asks for no distance between letters, so that a test sees many; one letter a notice."""

    def __init__(self, url: str) -> None:
        super().__init__(url, Secret(TOKEN), "42")
        self.manners: Manners = msgspec.structs.replace(
            self.manners, interval_s=0, gather_from=None
        )


@pytest.fixture
def make_live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[World]]:
    monkeypatch.setattr(http, "SILENCE_S_MAX", SILENCE_S)
    worlds: list[World] = []
    yield worlds
    for world in worlds:
        world.leave()


@pytest.mark.parametrize("seconds", [3, pytest.param(60, marks=pytest.mark.long)])
def test_a_bad_line_loses_and_overtakes_nothing(
    make_peer: MakePeer, make_live: list[World], tmp_path: Path, seconds: int
) -> None:
    service = Telegram(seed=7, odds=BAD)
    peer = make_peer(service)
    world = World(
        tmp_path,
        flat(4 * seconds * CANDLES_A_SECOND),
        script=SCRIPT,
        speed=SPEED,
        messengers=[Hurried(peer.url)],
    )
    make_live.append(world)
    world.start()
    for _ in range(seconds // 3):  # each wait has a patience of its own
        heard = len(peer.requests)
        world.run_until(partial(has_heard_more, peer, heard + 3))
    world.run_until(lambda: bool(service.lost_answers) and world.has_said("NotifyFailed"))
    service.odds = SMOOTH
    world.run_until(lambda: world.has_said("NotifyRecovered") and len(waiting(world)) < 2)

    owed = [text for text, _ in rows(world)]
    arrived = [str(each.payload["text"]) for each in peer.arrived]
    lost = Counter(service.lost_answers)
    due = Counter(owed) + lost
    assert len(owed) > 3
    assert all(count <= due[text] for text, count in Counter(arrived).items())
    told = without_repeats(arrived, lost)
    assert told == owed[: len(told)]
    assert len(told) >= len(owed) - 2  # what was written since the last look


def has_heard_more(peer: Peer, than: int) -> bool:
    return len(peer.requests) > than


def rows(world: World) -> list[tuple[str, str]]:
    with snapshot_of(world.store_path, "look") as snapshot:
        found = snapshot.db.execute(
            "SELECT text, state FROM notifications WHERE channel = 'telegram:42' ORDER BY event_id"
        )
        return [(str(text), str(state)) for text, state in found]


def waiting(world: World) -> list[str]:
    return [text for text, state in rows(world) if state == "pending"]


def without_repeats(texts: list[str], lost: Counter[str]) -> list[str]:
    """Return texts in order without what a lost answer had told twice."""
    kept: list[str] = []
    left = Counter(lost)
    for text in texts:
        if kept and kept[-1] == text and left[text] > 0:
            left[text] -= 1
        else:
            kept.append(text)
    return kept
