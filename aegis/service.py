"""The service manager: what systemd is told of this process, by its notification socket.

The protocol is sd_notify(3)'s: one datagram of NAME=value lines to the socket that NOTIFY_SOCKET
names; a name that begins with "@" is abstract. It never waits, and a manager that does not
listen changes nothing: trading is not its affair.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

USEC_PER_S = 1_000_000
ABSTRACT = "@"


class Service:
    """Whoever started this process and watches it; nobody, where the environment names none.

    `watchdog_s` is within how many seconds it wants to hear of progress, None for never.
    """

    def __init__(self, environ: Mapping[str, str], pid: int) -> None:
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self.watchdog_s = None if self._address is None else _watchdog_s(environ, pid)

    @property
    def is_there(self) -> bool:
        return self._address is not None

    def tell(self, **facts: str | int) -> None:
        """Send facts by their names in sd_notify(3); lost without a word where nobody listens."""
        if self._address is None:
            return
        lines = "\n".join(f"{name}={value}" for name, value in facts.items())
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)
                sender.sendto(lines.encode(), self._address)
        except OSError:  # it has gone, or does not read
            return


def _address(name: str) -> bytes | None:
    """Return a socket's address; other kinds than a path or an abstract name are not ours."""
    if name.startswith(ABSTRACT):
        return b"\0" + os.fsencode(name[1:])
    return os.fsencode(name) if name.startswith("/") else None


def _watchdog_s(environ: Mapping[str, str], pid: int) -> float | None:
    """Return the patience of a watchdog that means this process."""
    usec, for_whom = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    is_meant = for_whom in {"", str(pid)}
    if not (is_meant and usec.isdecimal() and usec.isascii() and int(usec) > 0):
        return None
    return int(usec) / USEC_PER_S


NOBODY = Service({}, 0)
"""Where no manager started this process."""
