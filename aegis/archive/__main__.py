"""One backup in a process of its own: an order comes in as JSON, what came of it goes out.

    python -m aegis.archive < order.json

The proof of a backup is work for the interpreter: 3 s of it at 100,000 events. Beside it in one
process the longest commit took 39 ms, since each step of it must win the interpreter back; beside
another process 15 ms, and 8 to 46 ms alone, on two cores with a load of 5.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import msgspec

from aegis.archive.errors import ArchiveBusyError, ArchiveError
from aegis.archive.making import Made, make_backup
from aegis.archive.words import Order
from aegis.clock import sleep
from aegis.exchange.paper_ledger import LedgerError
from aegis.store.errors import StoreError

NICENESS = 10
"""Whoever trades comes first."""

TURN_S, TURNS_MAX = 1.0, 600


def made_in_turn(order: Order, wait: Callable[[float], None]) -> Made:
    """Make a backup when nobody else does: a process that ended may have left its maker behind."""
    for _ in range(TURNS_MAX):
        try:
            return make_backup(order.archive, order.trigger, order.made_at)
        except ArchiveBusyError:
            wait(TURN_S)
    return make_backup(order.archive, order.trigger, order.made_at)


def main() -> int:
    """Make the backup that stdin orders; return the exit code."""
    os.nice(NICENESS)
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    try:
        made = made_in_turn(order, sleep)
    except (ArchiveError, LedgerError, StoreError, OSError) as error:
        sys.stderr.write(f"{' '.join(str(error).split())}\n")
        return 1
    sys.stdout.write(msgspec.json.encode(made).decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
