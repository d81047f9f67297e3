"""What can go wrong with a store, each as an exception of ours with one line for a person.

A line says what was expected, what came, and what to do about it. None of them is ever
answered by going on with the same store: whoever meets one closes it.
"""

# ruff: noqa: N818  they are named for what is the case, and caught by that name

from __future__ import annotations

from pathlib import Path


class StoreError(Exception):
    """The base of all faults of a store."""


class NoStore(StoreError):
    """There is nothing at the path, or nothing finished."""

    def __init__(self, path: Path, remedy: str = "start AEGIS once to create it") -> None:
        self.path = path
        super().__init__(f"Expected a store at {path}, found none; {remedy}")


class StoreBusy(StoreError):
    """Another process is the writer. `pid` is None while it has not said who it is."""

    def __init__(self, pid: int | None, path: Path) -> None:
        self.pid, self.path = pid, path
        holder = "pid unknown" if pid is None else f"pid {pid}"
        super().__init__(f"Another AEGIS ({holder}) uses {path}; stop it, or use another store")


class StoreForeign(StoreError):
    """The store was made for something else; `key` says which of its marks differs."""

    def __init__(self, key: str, expected: str, found: str) -> None:
        self.key, self.expected, self.found = key, expected, found
        super().__init__(
            f"Expected a store of {key} {expected}, found one of {key} {found}; "
            "set store.path to another file, or the configuration back"
        )


class StoreUnguarded(StoreError):
    """The store holds something that nothing would guard in this configuration."""

    def __init__(self, symbol: str, what: str) -> None:
        self.symbol = symbol
        super().__init__(
            f"{symbol} {what} and is not in exchange.symbols; add it, or nothing would guard it"
        )


class StoreTooNew(StoreError):
    """A later program wrote this store; nothing was changed."""

    def __init__(self, path: Path, found: int, known: int) -> None:
        self.path, self.found, self.known = path, found, known
        super().__init__(
            f"Expected schema {known} or older in {path}, found {found}; use a newer AEGIS"
        )


class StoreCorrupt(StoreError):
    """The store contradicts itself. `check` is the one that found it."""

    def __init__(self, check: str, text: str) -> None:
        self.check, self.text = check, text
        super().__init__(f"Store corrupt ({check}): {text}; run `verify`, then `restore latest`")


class StoreForked(StoreError):
    """Somebody else appended since this store was read; nothing was written."""

    def __init__(self, expected: str, found: str) -> None:
        self.expected, self.found = expected, found
        super().__init__(
            f"Expected the log to end with {expected}, found {found}: another writer was here; "
            "close this store and open it again"
        )


class StoreFailed(StoreError):
    """The disk, or SQLite, said no. Whether the last commit stands must be looked up."""

    def __init__(self, operation: str, text: str) -> None:
        self.operation, self.text = operation, text
        super().__init__(f"Store failed at {operation}: {text}; it must be opened again")


class Refused(StoreError):
    """What was asked for does not make sense, or must not be; nothing was written.

    `code` is the machine's word for why, `text` a person's.
    """

    def __init__(self, code: str, text: str) -> None:
        self.code, self.text = code, text
        super().__init__(text)
