"""The control socket: how a person's command reaches a running AEGIS, and its answer comes back.

It owns the socket file `<store.path>.sock`, mode 0600, and one line of JSON each way. Whoever
can write to the socket is the operator: the file's mode is the only gate, so it is made before
anybody can connect. A stale file is replaced: the store's lock says that nobody serves it.
"""

from __future__ import annotations

import os
import socket
import socketserver
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue

import msgspec

from aegis.domain.commands import ResolveOrder, ResolvePosition
from aegis.domain.events import CheckResult
from aegis.domain.incoming import Incoming
from aegis.messages import ControlReply, ControlRequest
from aegis.vitals import Vitals

LINE_BYTES_MAX = 4096
READ_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 30.0
UNANSWERED = f"no answer within {ANSWER_TIMEOUT_S:.0f} s; it may be done still: run.py status tells"

CLOSED_WITHIN_S = 0.05
"""How often the server looks whether it is closed: a stop has 1 s for everybody."""

PATH_BYTES_MAX = 100
"""Some systems take 104 bytes for a socket's path, Linux 108."""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What the client sends; `resolve` says what became of a position, `resolve_order` of an order.

    `backup` names what is put back, `incoming` the positions to take over: errands', since nobody
    does that to a store in use.
    """

    command: str
    is_dry_run: bool = False
    resolve: ResolvePosition | None = None
    resolve_order: ResolveOrder | None = None
    backup: str = ""
    incoming: tuple[Incoming, ...] = ()


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What it gets back; `text` may have several lines, `vitals` come where they were asked for.

    `checks` are a diagnosis', `unread` is why the exchange could not be asked.
    """

    is_done: bool
    text: str
    unread: str = ""
    vitals: Vitals | None = None
    checks: tuple[CheckResult, ...] = ()


_ASK = msgspec.json.Decoder(Ask)
_ANSWER = msgspec.json.Decoder(Answer)


class NotRunning(Exception):  # noqa: N818  it is the user's word for it
    """Nobody listens on the store's control socket."""


def socket_path(store_path: Path) -> Path:
    """Return where the socket of a store is."""
    return store_path.with_name(store_path.name + ".sock")


class ControlServer:
    """Serves the socket on a thread of its own; each connection waits for its own answer."""

    def __init__(self, store_path: Path) -> None:
        self._path = socket_path(store_path)
        self._waiting: dict[int, SimpleQueue[ControlReply]] = {}
        self._lock = threading.Lock()
        self._tokens = 0
        self._server: socketserver.ThreadingUnixStreamServer | None = None

    def open(self, hear: Callable[[ControlRequest], None]) -> None:
        """Listen from now on; `hear` gets each request."""
        control = self

        class Handler(socketserver.StreamRequestHandler):
            timeout = READ_TIMEOUT_S

            def handle(self) -> None:
                answer = control.serve(self.rfile.readline(LINE_BYTES_MAX), hear)
                self.wfile.write(msgspec.json.encode(answer) + b"\n")

        self._path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            self._server = _Server(_address(self._path), Handler)
        finally:
            os.umask(before)
        serve = partial(self._server.serve_forever, poll_interval=CLOSED_WITHIN_S)
        threading.Thread(target=serve, name="control", daemon=True).start()

    def serve(self, line: bytes, hear: Callable[[ControlRequest], None]) -> Answer:
        """Pass one request on and wait for its answer, a bounded time."""
        try:
            ask = _ASK.decode(line)
        except msgspec.DecodeError as error:
            return Answer(is_done=False, text=f"expected a command as a line of JSON: {error}")
        replies: SimpleQueue[ControlReply] = SimpleQueue()
        with self._lock:
            self._tokens += 1
            token = self._tokens
            self._waiting[token] = replies
        asked = ControlRequest(
            token=token,
            command=ask.command,
            is_dry_run=ask.is_dry_run,
            resolve=ask.resolve or ask.resolve_order,
        )
        hear(asked)
        try:
            reply = replies.get(timeout=ANSWER_TIMEOUT_S)
        except Empty:
            return Answer(is_done=False, text=UNANSWERED)
        finally:
            with self._lock:
                del self._waiting[token]
        return Answer(
            is_done=reply.is_done,
            text=reply.text,
            unread=reply.unread,
            vitals=reply.vitals,
            checks=reply.checks,
        )

    def answer(self, reply: ControlReply) -> None:
        """Hand a reply to the connection that waits for it, if it still does."""
        with self._lock:
            replies = self._waiting.get(reply.token)
        if replies is not None:
            replies.put(reply)

    def close(self) -> None:
        """Stop listening and take the file away; twice is harmless."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
            self._path.unlink(missing_ok=True)


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that hung up in the middle is its own affair."""


def ask(
    store_path: Path, asked: Ask, *, timeout_s: float = ANSWER_TIMEOUT_S + READ_TIMEOUT_S
) -> Answer:
    """Send a command to the AEGIS that serves a store, and wait for its answer.

    Raises `NotRunning` when nobody listens, or nobody answers in time.
    """
    line = msgspec.json.encode(asked) + b"\n"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        try:
            connection.connect(_address(socket_path(store_path)))
            connection.sendall(line)
            with connection.makefile("rb") as stream:
                return _ANSWER.decode(stream.readline())
        except (OSError, msgspec.DecodeError) as error:
            raise NotRunning(f"no AEGIS answers at {socket_path(store_path)}") from error


def _address(path: Path) -> str:
    """Return a path short enough to bind: past the limit, by the folder's descriptor."""
    if len(os.fsencode(path)) <= PATH_BYTES_MAX:
        return str(path)
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    return f"/proc/self/fd/{folder}/{path.name}"
