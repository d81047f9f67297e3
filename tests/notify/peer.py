"""A local HTTP peer that can do what a bad network does; and Telegram as far as we speak to it."""

from __future__ import annotations

import json
import random
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec

from tests.notify.messengers import SMOOTH, Odds

TOKEN = "12345:AbC-dEf_0123456789"  # noqa: S105  no real one
HTML = b"<html><head><title>502 Bad Gateway</title></head></html>"
HANGS_S = 30.0


class Request(msgspec.Struct, frozen=True):
    path: str
    payload: dict[str, Any]


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What the peer does with a request. `does_arrive` says whether anybody sees the message."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    is_reset: bool = False
    is_hanging: bool = False
    cut_at: int | None = None  # of the body, whose whole length was announced
    raw: bytes | None = None  # in place of all that HTTP would say
    flood_bytes: int = 0  # so much of nothing, unless the line is closed before
    does_arrive: bool = False


OK = Reply(body=b'{"ok":true,"result":{}}', does_arrive=True)
Answering = Callable[[Request], Reply]


def said(status: int, description: str, **parameters: int) -> Reply:
    """Return a refusal in Telegram's words."""
    told: dict[str, Any] = {"ok": False, "error_code": status, "description": description}
    if parameters:
        told["parameters"] = parameters
    return Reply(status=status, body=json.dumps(told).encode())


class Peer:
    """Listens on loopback; answers as `answer` says, and keeps what came and what arrived."""

    def __init__(self, answer: Answering = lambda _request: OK) -> None:
        self.answer = answer
        self.requests: list[Request] = []
        self.arrived: list[Request] = []
        self.flooded_bytes = 0
        self._released = threading.Event()
        self._lock = threading.Lock()
        peer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                peer._serve(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its name
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def texts(self) -> list[str]:
        with self._lock:
            return [str(request.payload["text"]) for request in self.arrived]

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers["Content-Length"])
        request = Request(handler.path, json.loads(handler.rfile.read(length)))
        with self._lock:
            self.requests.append(request)
            reply = self.answer(request)
            if reply.does_arrive:
                self.arrived.append(request)
        handler.close_connection = True
        if reply.is_reset:
            reset(handler.connection)
        elif reply.is_hanging:
            self._released.wait(HANGS_S)
        elif reply.flood_bytes:
            self._flood(handler, reply.flood_bytes)
        elif reply.raw is not None:
            handler.wfile.write(reply.raw)
        else:
            self._say(handler, reply)

    def _flood(self, handler: BaseHTTPRequestHandler, most: int) -> None:
        handler.send_response_only(200)
        handler.end_headers()
        with suppress(OSError):
            while self.flooded_bytes < most:
                handler.wfile.write(b" " * 65_536)
                self.flooded_bytes += 65_536

    def _say(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        handler.send_response_only(reply.status)
        for name, value in reply.headers:
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(reply.body)))
        handler.end_headers()
        with suppress(OSError):  # who has read enough hangs up
            handler.wfile.write(reply.body[: reply.cut_at])


def reset(connection: socket.socket) -> None:
    """End a connection with RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class Telegram:
    """Takes what the Bot API takes, refuses what it refuses, and goes wrong by its odds."""

    def __init__(
        self, seed: int = 1, odds: Odds = SMOOTH, chats: tuple[str, ...] = ("42",)
    ) -> None:
        self.odds = odds
        self.lost_answers: list[str] = []
        self._chats = ("42",)
        self._chance = random.Random(seed)

    def __call__(self, request: Request) -> Reply:
        return self._fault(request) or self._taken(request)

    def _taken(self, request: Request) -> Reply:
        if request.path != f"/bot{TOKEN}/sendMessage":
            return said(401, "Unauthorized")
        if request.payload["chat_id"] not in self._chats:
            return said(400, "Bad Request: chat not found")
        text = request.payload["text"]
        if not text.strip():
            return said(400, "Bad Request: message text is empty")
        if len(text.encode("utf-16-le")) // 2 > 4096:
            return said(400, "Bad Request: message is too long")
        assert "parse_mode" not in request.payload
        return OK

    def _fault(self, request: Request) -> Reply | None:
        odds, drawn = self.odds, self._chance.random()
        faults: tuple[tuple[float, Callable[[], Reply]], ...] = (
            (odds.asked_to_wait, lambda: said(429, "Too Many Requests", retry_after=1)),
            (odds.no_answer, lambda: Reply(status=502, body=HTML)),
            (odds.hang, lambda: Reply(is_hanging=True)),
            (odds.lost_answer, lambda: self._lose(request)),
        )
        for likelihood, act in faults:
            if drawn < likelihood:
                return act()
            drawn -= likelihood
        return None

    def _lose(self, request: Request) -> Reply:
        if self._taken(request) is not OK:
            return Reply(is_reset=True)
        self.lost_answers.append(str(request.payload["text"]))
        return Reply(is_reset=True, does_arrive=True)
