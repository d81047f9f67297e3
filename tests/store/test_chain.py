from __future__ import annotations

import hashlib

import pytest

from aegis.store.chain import GENESIS, LoggedEvent, link

SAID: dict[str, object] = {
    "event_id": 1,
    "position_id": "p",
    "event_type": "PositionMarked",
    "version": 2,
    "data": b"{}",
    "actor": "Guard",
    "timestamp": "2023-11-14T22:13:20.000000001Z",
}


def _link(prev_hash: str = GENESIS, **changes: object) -> str:
    return link(prev_hash, LoggedEvent(**{**SAID, **changes}))  # type: ignore[arg-type]


def test_the_frame_is_what_it_always_was() -> None:
    parts = (GENESIS, "1", "p", "PositionMarked", "2", "{}", "Guard", str(SAID["timestamp"]))
    framed = "".join(f"{len(part)}:{part}" for part in parts)
    assert _link() == hashlib.sha256(framed.encode()).hexdigest()


@pytest.mark.parametrize("name", list(SAID))
def test_each_part_is_covered(name: str) -> None:
    before = SAID[name]
    after = before + 1 if isinstance(before, int) else before + before[:1]  # type: ignore[index]
    assert _link(**{name: after}) != _link()  # type: ignore[arg-type]


def test_the_hash_before_is_covered() -> None:
    assert _link("1" * 64) != _link()


def test_a_part_cannot_lend_its_end_to_the_next() -> None:
    assert _link(position_id="pP", event_type="ositionMarked") != _link()
