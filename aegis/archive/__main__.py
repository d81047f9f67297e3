"""One backup in a process of its own: an order comes in as JSON, what came of it goes out.

    python -m aegis.archive < order.json

The proof of a backup is work for the interpreter: 3 s of it at 100,000 events. Beside it in one
process the longest commit took 39 ms, since each step of it must win the interpreter back; beside
another process 15 ms, and 8 to 46 ms alone, on two cores with a load of 5.
"""

from __future__ import annotations

import os
import sys

import msgspec

from aegis.archive.errors import ArchiveError
from aegis.archive.making import make_backup
from aegis.archive.words import Order
from aegis.exchange.paper_ledger import LedgerError
from aegis.store.errors import StoreError

NICENESS = 10
"""Whoever trades comes first."""


def main() -> int:
    """Make the backup that stdin orders; return the exit code."""
    os.nice(NICENESS)
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    try:
        made = make_backup(order.archive, order.trigger, order.made_at)
    except (ArchiveError, LedgerError, StoreError, OSError) as error:
        sys.stderr.write(f"{' '.join(str(error).split())}\n")
        return 1
    sys.stdout.write(msgspec.json.encode(made).decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
