"""Show a long life: `python -m tests.soak seeded HOURS` or `python -m tests.soak clock SECONDS`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from aegis.store.verify import verify
from tests.soak.lives import Life, live_on_the_clock, live_seeded


def main(kind: str, length: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        if kind == "seeded":
            life = live_seeded(Path(folder), int(length))
        else:
            life = live_on_the_clock(Path(folder), float(length))
        tell(life)


def tell(life: Life) -> None:
    verification = verify(life.store)
    sys.stdout.write("at_s resident_kb blocks\n")
    for sample in life.samples:
        sys.stdout.write(f"{sample.at_s:.0f} {sample.resident_kb} {sample.blocks}\n")
    sys.stdout.write(
        f"exit code {life.exit_code}, {len(life.lines())} log lines that all parse, "
        f"{verification.events} events, verify {'ok' if verification.ok else 'NOT ok'}, "
        f"{verification.positions} positions\n"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
