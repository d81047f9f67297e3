"""`python -m tests.protocol [--long] [--mutant NAME] [--tables]`: walk the order protocol.

Prints the worlds that were seen and the seconds it took; of a mutant, the moves to its ruin.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.protocol.document import moves_table, steps_table
from tests.protocol.explore import Found, Walked, walk
from tests.protocol.mutants import MUTANTS
from tests.protocol.test_protocol import WALKS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.protocol")
    parser.add_argument("--long", action="store_true", help="let more go wrong on each way")
    parser.add_argument("--mutant", choices=MUTANTS, help="show how one broken rule goes wrong")
    parser.add_argument("--tables", action="store_true", help="print those of docs/protocol.md")
    asked = parser.parse_args()
    if asked.tables:
        sys.stdout.write(f"{moves_table()}\n\n{steps_table()}\n")
        return 0
    if asked.mutant:
        return _shown(asked.mutant)
    is_well = True
    for name, (begin, ground, troubles, most) in WALKS.items():
        count = most if asked.long else troubles
        began = time.process_time()
        walked = walk(begin(count), ground)
        _say(f"{name}, troubles: {count}", walked, began)
        is_well = is_well and isinstance(walked, Walked)
    for name, mutant in MUTANTS.items():
        began = time.process_time()
        found = walk(mutant.begin, mutant.ground)
        _say(f"mutant: {name}", found, began)
        is_well = is_well and isinstance(found, Found)
    return 0 if is_well else 1


def _say(name: str, walked: Found | Walked, began: float) -> None:
    end = "nothing wrong" if isinstance(walked, Walked) else f"goes wrong: {walked.fault}"
    spent_s = time.process_time() - began
    sys.stdout.write(f"{name}: {walked.worlds} worlds, {spent_s:.1f} s, {end}\n")


def _shown(name: str) -> int:
    mutant = MUTANTS[name]
    found = walk(mutant.begin, mutant.ground)
    sys.stdout.write(f"{found}\n")
    return 0 if isinstance(found, Found) else 1


if __name__ == "__main__":
    sys.exit(main())
