"""The contract of `ports.Messenger`, on every implementation."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from aegis.config.secret import Secret
from aegis.domain.delivery import Letter, Sent, parts_of
from aegis.domain.ids import EventId, Instant
from aegis.notify.log_channel import LogMessenger
from aegis.notify.telegram import TelegramMessenger
from aegis.notify.webhook import WebhookMessenger
from aegis.ports import Messenger
from tests.notify.messengers import SeededMessenger
from tests.notify.peer import TOKEN, Peer, Telegram

MARKUP = "_*[]()~`>#+-=|{}.!\\<b>&amp;@you /start #tag \u202e"
NO_SURROGATES = st.characters(exclude_categories=["Cs"])
TEXTS = st.text(st.one_of(NO_SURROGATES, st.sampled_from(MARKUP)), min_size=1, max_size=9_000)


class Door(msgspec.Struct, frozen=True):
    """A messenger, and what the people behind it have read so far."""

    messenger: Messenger
    read: Callable[[], list[str]]


def _log_door() -> Door:
    lines: list[str] = []

    def write(_event: str, /, **fields: object) -> None:
        lines.append(str(fields["text"]))

    return Door(LogMessenger(write), lambda: list(lines))


def _seeded_door() -> Door:
    messenger = SeededMessenger(1)
    return Door(messenger, lambda: [letter.text for letter in messenger.arrived])


@pytest.fixture(params=["telegram", "webhook", "log", "seeded"], scope="module")
def door(request: pytest.FixtureRequest) -> Iterator[Door]:
    if request.param == "log":
        yield _log_door()
        return
    if request.param == "seeded":
        yield _seeded_door()
        return
    peer = Peer(Telegram()) if request.param == "telegram" else Peer()
    messenger: Messenger = (
        TelegramMessenger(peer.url, Secret(TOKEN), "42")
        if request.param == "telegram"
        else WebhookMessenger(Secret(f"{peer.url}/hook"))
    )
    yield Door(messenger, peer.texts)
    peer.close()


def letter(text: str) -> Letter:
    return Letter(text=text, event_id=EventId(1), event="PositionOpened", at=Instant(0))


def test_what_is_sent_arrives_once_and_in_order(door: Door) -> None:
    before = len(door.read())
    texts = [f"news {number}" for number in range(5)]
    assert [door.messenger.send(letter(text)) for text in texts] == [Sent()] * 5
    assert door.read()[before:] == texts


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TEXTS)
@example("BTC_USDT *up* [not](a link) `code` <b>bold</b> &amp; \\_")
@example("\U0001f4c8 Zürich \u0000 \u202e \u2028 \r\n\t \x1b[31m")
@example("x" * 20_000)
def test_every_text_arrives_as_it_was_written(door: Door, text: str) -> None:
    before = len(door.read())
    parts = parts_of(text, door.messenger.manners.length_max)
    if all(part.strip() for part in parts):
        assert [door.messenger.send(letter(part)) for part in parts] == [Sent()] * len(parts)
        assert "".join(door.read()[before:]) == text


def test_a_channel_has_one_name_and_its_manners_make_sense(door: Door) -> None:
    messenger = door.messenger
    manners = messenger.manners
    assert messenger.channel == messenger.channel
    assert messenger.channel.strip()
    assert manners.page_max >= 1
    assert manners.gather_from is None or 1 < manners.gather_from <= manners.page_max
    assert TOKEN not in repr(messenger) + messenger.channel
