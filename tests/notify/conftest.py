"""Peers that are always closed, and patience that a test can afford."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from aegis.notify import http
from tests.notify.peer import OK, Answering, Peer

MakePeer = Callable[..., Peer]


@pytest.fixture
def make_peer() -> Iterator[MakePeer]:
    made: list[Peer] = []

    def make(answer: Answering = lambda _request: OK) -> Peer:
        made.append(Peer(answer))
        return made[-1]

    yield make
    for peer in made:
        peer.close()


@pytest.fixture
def _impatient(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait shortly for a peer that hangs, and as ever for one that a loaded machine holds up."""
    if request.getfixturevalue("reply").is_hanging:
        monkeypatch.setattr(http, "SILENCE_S_MAX", 0.3)
