"""`python -m tests.bench` and one of its measurements: see docs/performance.md."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    try:
        from tests.bench.options import main

        sys.exit(main(sys.argv[1:]))
    except ModuleNotFoundError as missing:
        sys.exit(f"Expected {missing.name}, of the tests' libraries: pip install -e '.[test]'")
