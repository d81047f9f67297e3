"""The diagnosis' look into the store, as check results; each look goes on from the one before."""

from __future__ import annotations

from pathlib import Path

from aegis.domain.events import CheckResult
from aegis.store.chain import GENESIS
from aegis.store.errors import StoreError
from aegis.store.inspector import Inspector


class Inspection:
    """Opens its reader at the first look; used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._inspector: Inspector | None = None
        self._proved = (0, GENESIS)

    def look(self) -> tuple[CheckResult, ...]:
        """Return what the chain and the rows of what is alive look like now."""
        try:
            inspector = self._inspector or Inspector(self._path)
        except StoreError as error:
            return (_result("chain", (str(error),)),)
        self._inspector = inspector
        chain = inspector.chain_from(*self._proved)
        self._proved = (chain.event_id, chain.hash)
        fold = inspector.fold_of_open()
        return (
            _result("chain", () if chain.problem is None else (chain.problem.text,)),
            _result("projections", tuple(f"{each.check}: {each.text}" for each in fold)),
        )

    def close(self) -> None:
        """Close the reader."""
        if self._inspector is not None:
            self._inspector.close()
            self._inspector = None


def _result(check: str, problems: tuple[str, ...]) -> CheckResult:
    return CheckResult(
        check=check, status="finding" if problems else "ok", details="; ".join(problems)
    )
