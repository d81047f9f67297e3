"""The store's actor as it runs: threads, inboxes, decisions, commits, answers, subscribers."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from actors import names
from actors.base import Started, Stopped
from actors.directory import Address, Directory, Seat
from actors.position_store import PositionStore, subscribers
from aegis.clock import SystemClock
from aegis.domain.commands import Command
from aegis.messages import Execute
from supervisors.runtime import ThreadRuntime
from tests.bench.store.plain import grouped
from tests.bench.store.workload import (
    BY,
    LIMITS,
    WARM_UP,
    Opened,
    Timing,
    marks,
    record,
    store_of,
    timed,
    total,
)
from tests.stage import Stage

EPOCH = 1


class Client:
    """Whoever asks from a thread of its own, and waits for each answer."""

    def __init__(self, directory: Directory, name: str) -> None:
        directory.add(name)
        directory.open(name, EPOCH)
        self._directory, self._address = directory, Address(name, EPOCH)
        self._seat = Seat()
        self._seat.bind(directory, self._address, 1)

    def tell(self, command: Command, *, is_answered: bool = False) -> None:
        name = self._address.name if is_answered else None
        told = Execute(command=command, by=BY, reply_to=name)
        self._directory.tell(self._address, names.POSITION_STORE, told)

    def hear(self) -> object:
        """Wait for the next answer."""
        return self._seat.wait()

    def ask(self, command: Command) -> None:
        """Tell a command and wait for what came of it."""
        self.tell(command, is_answered=True)
        self.hear()


@contextmanager
def acting(folder: Path, begun: Opened) -> Iterator[Directory]:
    """Yield a directory in which the store's actor serves its name; nobody takes what it tells."""
    runtime = ThreadRuntime(SystemClock())
    stage = Stage(runtime)
    for name in (*subscribers(), names.NOTIFIER):
        stage.directory.add(name)
    stage.directory.add(names.POSITION_STORE, keeps_inbox=True)
    stage.launch(
        names.POSITION_STORE,
        partial(
            PositionStore,
            open_store=lambda: store_of(folder, begun),
            limits=LIMITS,
            subscribers=subscribers(),
        ),
        epoch=EPOCH,
    )
    stage.wait_for(lambda: any(isinstance(each, Started) for each in stage.told_boss()))
    yield stage.directory
    stage.directory.stop(names.POSITION_STORE, EPOCH)
    stage.wait_for(lambda: any(isinstance(each, Stopped) for each in stage.told_boss()))
    runtime.close()


def run_telling(folder: Path, begun: Opened, count: int) -> Timing:
    """Tell all commands one after another, as quick as it goes, and wait for the last answer."""
    commands = marks(begun.positions, count)
    first, rest = commands[: count // WARM_UP], commands[count // WARM_UP :]
    with acting(folder, begun) as directory:
        client = Client(directory, "Client")
        _tell_all(client, first)
        return timed(len(rest), partial(_tell_all, client, rest))


def run_asking(folder: Path, begun: Opened, count: int, clients: int) -> Timing:
    """Let clients ask, each from a thread of its own and one command at a time."""
    commands = marks(begun.positions, count)
    with acting(folder, begun) as directory:
        asking = [Client(directory, f"Client-{number}") for number in range(clients)]
        for command in commands[: count // WARM_UP]:
            asking[0].ask(command)
        rest = commands[count // WARM_UP :]
        return timed(len(rest), partial(_ask_all, asking, rest))


def run_committing(folder: Path, begun: Opened, count: int, batch: int) -> Timing:
    """Commit so many events at once, and time the commits alone."""
    store = store_of(folder, begun)
    timings = []
    for group in grouped(marks(begun.positions, count), batch):
        records = [recorded for mark in group for recorded in record(store.book, mark, begun.at)]
        timings.append(timed(len(records), partial(store.commit, records, store.book)))
    store.close()
    return total(timings[len(timings) // WARM_UP :])


@contextmanager
def busy_thread() -> Iterator[None]:
    """Keep a thread of pure Python busy, which gives the interpreter up only when it is asked."""
    is_over = threading.Event()

    def spin() -> None:
        number = 0
        while not is_over.is_set():
            for _ in range(1_000):
                number += 1

    thread = threading.Thread(target=spin, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _tell_all(client: Client, commands: Sequence[Command]) -> None:
    for command in commands[:-1]:
        client.tell(command)
    client.ask(commands[-1])


def _ask_all(clients: Sequence[Client], commands: Sequence[Command]) -> None:
    threads = [
        threading.Thread(target=_ask_each, args=(client, commands[number :: len(clients)]))
        for number, client in enumerate(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _ask_each(client: Client, commands: Sequence[Command]) -> None:
    for command in commands:
        client.ask(command)
