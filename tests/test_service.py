"""What the service manager hears, over the sockets that it really uses."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from aegis.service import NOBODY, Service

PID = 4711


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """Give a manager's address, as the environment has it, and its socket."""
    name = f"@aegis-test-{os.getpid()}" if request.param == "abstract" else str(tmp_path / "notify")
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as listening:
        listening.bind(name.replace("@", "\0", 1) if name.startswith("@") else name)
        listening.settimeout(5)
        yield name, listening


def test_facts_are_one_datagram_of_lines(manager: tuple[str, socket.socket]) -> None:
    name, listening = manager
    Service({"NOTIFY_SOCKET": name}, PID).tell(READY=1, STATUS="armed, all well")
    assert listening.recv(4096) == b"READY=1\nSTATUS=armed, all well"


def test_a_manager_that_does_not_read_holds_nobody_up(manager: tuple[str, socket.socket]) -> None:
    name, listening = manager
    service = Service({"NOTIFY_SOCKET": name}, PID)
    for _ in range(5_000):  # far more than its queue holds
        service.tell(STATUS="x" * 1000)
    assert listening.recv(4096).startswith(b"STATUS=x")


@pytest.mark.parametrize("name", ["", "relative/notify", "vsock:2:1234", "/nowhere/notify"])
def test_where_nobody_listens_nothing_happens(name: str) -> None:
    service = Service({"NOTIFY_SOCKET": name}, PID)
    service.tell(READY=1)
    assert service.is_there is (name == "/nowhere/notify")


def test_without_a_manager_there_is_no_watchdog() -> None:
    assert not NOBODY.is_there
    assert Service({"WATCHDOG_USEC": "5000000"}, PID).watchdog_s is None


@pytest.mark.parametrize(
    ("usec", "for_whom", "expected"),
    [
        ("180000000", str(PID), 180.0),
        ("500000", "", 0.5),
        ("180000000", "1", None),
        ("0", str(PID), None),
        ("", str(PID), None),
        ("soon", str(PID), None),
        ("-5", str(PID), None),
    ],
)
def test_the_watchdog_s_patience_is_taken_where_it_is_meant_for_us(
    usec: str, for_whom: str, expected: float | None
) -> None:
    environ = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": usec, "WATCHDOG_PID": for_whom}
    assert Service(environ, PID).watchdog_s == expected


def test_no_descriptor_is_left_open(manager: tuple[str, socket.socket]) -> None:
    def count() -> int:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208  a name for each is enough

    service, before = Service({"NOTIFY_SOCKET": manager[0]}, PID), count()
    for _ in range(20):
        service.tell(WATCHDOG=1)
    assert count() == before
