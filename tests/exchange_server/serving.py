"""The exchange as an HTTP server on loopback: what a reply's conduct means on a wire.

Connections are kept alive. One lock stands before the core; a second hand carries it on each
tenth of a second, so that resting orders trade while nobody asks.

Invariant: a process that a rule ends is ended after its request was committed to the ledger.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.exchange_server.core import Core
from tests.exchange_server.desk import Desk, DeskError
from tests.exchange_server.faults import Fault
from tests.exchange_server.replies import Conduct, Reply

ROOT = "/exchange/v1/"
HAND_S = 0.1

Report = Callable[[str], None]


class ExchangeServer(ThreadingHTTPServer):
    """Serves one core until `stop`. `report` is told a line a request."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, core: Core, port: int = 0, report: Report | None = None) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.core = core
        self.desk = Desk(core)
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.report = report
        self._hands = (
            threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True),
            threading.Thread(target=self._carry_on, daemon=True),
        )

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def start(self) -> None:
        for hand in self._hands:
            hand.start()

    def stop(self) -> None:
        """Stop serving; connections that were left in silence end too."""
        self.stopping.set()
        self.shutdown()
        for hand in self._hands:
            hand.join()
        self.server_close()
        with self.lock:
            self.core.ledger.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that are gone: to end them is what this server is for."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def _carry_on(self) -> None:
        while not self.stopping.wait(HAND_S):
            with self.lock:
                self.core.advance(time.time_ns())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: ExchangeServer

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def do_DELETE(self) -> None:
        self._serve(b"")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the library's name
        """Say nothing: what came is in the ledger, and in `report`."""

    def send_response(self, code: int, message: str | None = None) -> None:
        """Begin an answer without the library's own Server and Date."""
        self.send_response_only(code, message)

    def _serve(self, body: bytes) -> None:
        url = urlsplit(self.path)
        if url.path.startswith("/control/"):
            self._control(url.path, body)
            return
        endpoint = url.path.removeprefix(ROOT) if url.path.startswith(ROOT) else url.path
        sent = body if self.command == "POST" else dict(parse_qsl(url.query))
        server = self.server
        with server.lock:
            if server.stopping.is_set():
                self.close_connection = True
                return
            reply = server.core.answer(endpoint, self.command, sent, time.time_ns())
        if server.report is not None:
            server.report(_line(self.command, endpoint, reply))
        _kill(reply, Fault.KILL_BEFORE_ANSWER)
        try:
            self._tell(reply)
        except OSError:
            self.close_connection = True  # the other side has gone
        _kill(reply, Fault.KILL_AFTER_ANSWER)

    def _tell(self, reply: Reply) -> None:
        match reply.conduct:
            case Conduct.ANSWER:
                self._head(reply)
                self.wfile.write(reply.body)
            case Conduct.RESET:
                self._reset()
            case Conduct.SILENCE:
                self._wait_for_the_end()
            case Conduct.TRUNCATE:
                self._head(reply)
                self.wfile.write(reply.body[: len(reply.body) // 2])
                self.close_connection = True
            case Conduct.DRIP:
                self._head(reply)
                self._drip(reply)

    def _head(self, reply: Reply) -> None:
        self.send_response(reply.status, HTTPStatus(reply.status).phrase)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()

    def _drip(self, reply: Reply) -> None:
        for number in range(len(reply.body)):
            self.wfile.write(reply.body[number : number + 1])
            if self.server.stopping.wait(reply.drip_s):
                return

    def _reset(self) -> None:
        """End the connection with a reset instead of an end: nothing of it is delivered."""
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()
        self.close_connection = True

    def _wait_for_the_end(self) -> None:
        """Hold the connection until the other side, or the server, ends it."""
        self.connection.settimeout(HAND_S)
        while not self.server.stopping.is_set():
            try:
                if not self.connection.recv(1):
                    break
            except TimeoutError:
                continue
        self.close_connection = True

    def _control(self, path: str, body: bytes) -> None:
        server = self.server
        with server.lock:
            try:
                status, answer = 200, server.desk.handle(path, self.command, body, time.time_ns())
            except DeskError as fault:
                status, answer = 400, {"error": str(fault)}
        encoded = json.dumps(answer).encode()
        self._tell(Reply(status, {"Content-Type": "application/json"}, encoded))

    def finish(self) -> None:
        """Close the streams; a connection that was reset has none left to flush."""
        try:
            super().finish()
        except OSError:
            self.close_connection = True


def _kill(reply: Reply, fault: Fault) -> None:
    for rule in reply.kills:
        if rule.fault is fault and rule.pid is not None:
            try:
                os.kill(rule.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


def _line(method: str, endpoint: str, reply: Reply) -> str:
    told = reply.status if reply.conduct is Conduct.ANSWER else reply.conduct.value
    return f"{time.strftime('%H:%M:%S')} {method} {endpoint} {told} {reply.story}"
