"""What each answer of the other side comes to, and that no failure shows a secret."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from aegis.config.model import Secrets
from aegis.config.secret import Secret
from aegis.domain.delivery import Delivery, Letter, NoAnswer, Refused, RetryAfter, Sent
from aegis.domain.ids import EventId, Instant
from aegis.log.logger import configure
from aegis.notify import http
from aegis.notify.telegram import TelegramMessenger
from aegis.notify.webhook import WebhookMessenger
from aegis.ports import Messenger
from tests.notify.conftest import MakePeer
from tests.notify.peer import HTML, OK, TOKEN, Peer, Reply, said

HOOK_PATH = "/services/T0SECRET/B0SECRET"
LETTER = Letter(text="Position opened", event_id=EventId(7), event="PositionOpened", at=Instant(0))
RESET = Reply(is_reset=True)
HANGING = Reply(is_hanging=True)
CUT = Reply(body=OK.body, cut_at=5, does_arrive=True)
MALFORMED = Reply(raw=b"HTTP/1.1 200 OK\r\nno header at all\r\n\r\n{}")
NOT_HTTP = Reply(raw=b"SSH-2.0-OpenSSH_9.0\r\n")
HUGE = Reply(body=b"x" * (3 * http.ANSWER_BYTES_MAX))


def telegram(peer: Peer, chat_id: str = "42") -> TelegramMessenger:
    return TelegramMessenger(peer.url, Secret(TOKEN), chat_id)


def webhook(peer: Peer) -> WebhookMessenger:
    return WebhookMessenger(Secret(peer.url + HOOK_PATH))


def dated(retry_after: str) -> Reply:
    headers = (("Date", "Wed, 21 Oct 2026 07:28:00 GMT"), ("Retry-After", retry_after))
    return Reply(status=503, headers=headers)


ANY = [
    (RESET, NoAnswer("no connection, or it broke off")),
    (HANGING, NoAnswer("nothing came for 0.3 s")),
    (NOT_HTTP, NoAnswer("no connection, or it broke off")),
    (CUT, NoAnswer("the answer broke off")),
]

OF_TELEGRAM: list[tuple[Reply, Delivery]] = [
    (OK, Sent()),
    *ANY,
    (said(429, "Too Many Requests: retry after 31", retry_after=31), RetryAfter(31)),
    (said(429, "Too Many Requests"), RetryAfter(0)),
    (said(429, "Too Many Requests", retry_after=-5), RetryAfter(0)),
    (Reply(status=429, body=HTML, headers=(("Retry-After", "7"),)), RetryAfter(7)),
    (said(500, "Internal Server Error"), NoAnswer("500 Internal Server Error")),
    (said(502, "Bad Gateway"), NoAnswer("502 Bad Gateway")),
    (Reply(status=502, body=HTML), NoAnswer("502, and no answer of Telegram's")),
    (Reply(status=200, body=HTML), NoAnswer("200, and no answer of Telegram's")),
    (Reply(status=200, body=b""), NoAnswer("200, and no answer of Telegram's")),
    (Reply(status=200, body=b"[1]"), NoAnswer("200, and no answer of Telegram's")),
    (Reply(status=200, body=b'{"ok":"yes"}'), NoAnswer("200, and no answer of Telegram's")),
    (Reply(status=403, body=HTML), NoAnswer("403, and no answer of Telegram's")),
    (
        Reply(status=302, headers=(("Location", "/x"),)),
        NoAnswer("302, and no answer of Telegram's"),
    ),
    (HUGE, NoAnswer("200, and no answer of Telegram's")),
    (MALFORMED, NoAnswer("200, and no answer of Telegram's")),
    (said(401, "Unauthorized"), Refused("401 Unauthorized: is the token right?")),
    (said(404, "Not Found"), Refused("404 Not Found: is the token right?")),
    (said(400, "Bad Request: chat not found"), Refused("400 Bad Request: chat not found")),
    (
        said(403, "Forbidden: bot was blocked by the user"),
        Refused("403 Forbidden: bot was blocked by the user"),
    ),
    (
        said(400, "Bad Request: group chat was upgraded", migrate_to_chat_id=-1007),
        Refused("400 Bad Request: group chat was upgraded: the chat id is -1007 now"),
    ),
    (
        said(400, "Bad Request: message text is empty"),
        Refused("400 Bad Request: message text is empty", is_final=True),
    ),
    (
        said(400, "Bad Request: message is too long"),
        Refused("400 Bad Request: message is too long", is_final=True),
    ),
    (said(418, "never heard\nof"), Refused("418 never heard of")),
    (said(400, f"no such path /bot{TOKEN}/x"), Refused("400 no such path /bot***/x")),
]

OF_WEBHOOK: list[tuple[Reply, Delivery]] = [
    (Reply(), Sent()),
    (Reply(status=204), Sent()),
    (Reply(status=200, body=HTML), Sent()),
    (MALFORMED, Sent()),
    *ANY,
    (Reply(status=429, headers=(("Retry-After", "12"),)), RetryAfter(12)),
    (Reply(status=429, headers=(("Retry-After", "0.65"),)), RetryAfter(1)),
    (Reply(status=429), NoAnswer("status 429")),
    (Reply(status=503, headers=(("Retry-After", "120"),)), RetryAfter(120)),
    (dated("Wed, 21 Oct 2026 07:29:30 GMT"), RetryAfter(90)),
    (dated("Wed, 21 Oct 2026 07:00:00 GMT"), RetryAfter(0)),
    (dated("soon"), NoAnswer("status 503")),
    (dated("nan"), NoAnswer("status 503")),
    (Reply(status=500), NoAnswer("status 500")),
    (Reply(status=408), NoAnswer("status 408")),
    (Reply(status=302, headers=(("Location", "/x"),)), NoAnswer("status 302")),
    (Reply(status=400, body=HOOK_PATH.encode()), Refused("status 400")),
    (Reply(status=401), Refused("status 401")),
    (Reply(status=404), Refused("status 404")),
    (Reply(status=410), Refused("status 410")),
]


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize(("reply", "expected"), OF_TELEGRAM, ids=str)
def test_what_telegram_says_is_understood(
    make_peer: MakePeer, reply: Reply, expected: Delivery
) -> None:
    peer = make_peer(lambda _request: reply)
    assert telegram(peer).send(LETTER) == expected
    assert len(peer.requests) == 1


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize(("reply", "expected"), OF_WEBHOOK, ids=str)
def test_what_a_webhook_says_is_understood(
    make_peer: MakePeer, reply: Reply, expected: Delivery
) -> None:
    peer = make_peer(lambda _request: reply)
    assert webhook(peer).send(LETTER) == expected
    assert len(peer.requests) == 1


def test_no_more_of_an_answer_is_read_than_could_be_meant(make_peer: MakePeer) -> None:
    most = 64 * 1024 * 1024
    peer = make_peer(lambda _request: Reply(flood_bytes=most))
    assert telegram(peer).send(LETTER) == NoAnswer("200, and no answer of Telegram's")
    assert peer.flooded_bytes < most


def test_nobody_listening_is_no_answer(make_peer: MakePeer) -> None:
    peer = make_peer()
    peer.close()
    expected = NoAnswer("no connection, or it broke off")
    assert [each.send(LETTER) for each in (telegram(peer), webhook(peer))] == [expected] * 2


def test_who_does_not_speak_tls_is_no_answer(make_peer: MakePeer) -> None:
    url = make_peer().url.replace("http://", "https://")
    assert WebhookMessenger(Secret(url)).send(LETTER) == NoAnswer("TLS failed")


@pytest.mark.parametrize("url", ["https://", "https://[::1", "nonsense", "https://\udcff.test/"])
def test_a_url_that_cannot_be_is_no_answer_and_not_told(url: str) -> None:
    answer = WebhookMessenger(Secret(f"{url}/T0SECRET")).send(LETTER)
    assert isinstance(answer, NoAnswer)
    assert "SECRET" not in answer.reason


def test_a_webhook_gets_the_notice_and_its_event(make_peer: MakePeer) -> None:
    peer = make_peer()
    webhook(peer).send(LETTER)
    (request,) = peer.requests
    assert request.path == HOOK_PATH
    assert request.payload == {
        "event_id": 7,
        "event": "PositionOpened",
        "at": "1970-01-01T00:00:00.000000000Z",
        "text": "Position opened",
    }


def test_a_chat_gets_the_text_without_markup_or_preview(make_peer: MakePeer) -> None:
    peer = make_peer()
    telegram(peer, "-100123").send(LETTER)
    (request,) = peer.requests
    assert request.path == f"/bot{TOKEN}/sendMessage"
    assert request.payload == {
        "chat_id": "-100123",
        "text": "Position opened",
        "link_preview_options": {"is_disabled": True},
    }


def test_a_group_is_written_to_less_often_than_a_person(make_peer: MakePeer) -> None:
    peer = make_peer()
    intervals = [telegram(peer, chat).manners.interval_s for chat in ("42", "-42", "@a_channel")]
    assert intervals == [1, 3, 3]


# Secrets ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize(
    "reply",
    [RESET, HANGING, CUT, MALFORMED, NOT_HTTP, HUGE, Reply(status=500), Reply(status=404)],
    ids=str,
)
def test_no_failure_shows_a_secret_in_its_answer_or_in_the_log(
    make_peer: MakePeer, tmp_path: Path, reply: Reply
) -> None:
    peer = make_peer(lambda _request: reply)
    secrets = Secrets(telegram_token=Secret(TOKEN), webhook_url=Secret(peer.url + HOOK_PATH))
    log = configure(tmp_path / "log", "debug", 1, 1, console=None, now_text=lambda: "now")
    for secret in secrets.given():
        log.register_secret(secret.reveal())
    senders: tuple[Messenger, ...] = (telegram(peer), webhook(peer))
    told = [sender.send(LETTER) for sender in senders]
    log("Told", told=[repr(each) for each in told], senders=[repr(each) for each in senders])
    logging.getLogger("urllib3").warning("for %s%s", peer.url, HOOK_PATH)
    log.close()

    written = (tmp_path / "log").read_text() + repr(told)
    assert "LibraryLogged" in written
    for hidden in (TOKEN, "SECRET", HOOK_PATH):
        assert hidden not in written


def test_a_channel_s_name_is_no_secret(make_peer: MakePeer) -> None:
    peer = make_peer()
    assert telegram(peer).channel == "telegram:42"
    assert webhook(peer).channel == "webhook"
