"""Each single call to the system may fail: the store works, or it stops and says so.

A client wants a trade's commits done, lets go of a store that failed, opens it again and repeats
what was not acknowledged. In the end the log is, hash for hash, what it is without a fault: so
nothing that was acknowledged was lost, and nothing that was repeated is there twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec
import pytest

from aegis.store.errors import StoreError
from aegis.store.verify import verify
from tests.power.client import Client, Wish, wishes
from tests.power.cuts import STORE, lay
from tests.power.disk import Image
from tests.power.faults import CODES, FULL, Plan, refusing
from tests.power.lives import folder_in_memory, small_disk
from tests.power.shared_memory import refusing_shared_memory
from tests.store.histories import open_store

WISHES = 5  # an entry, and the intent to leave: what is held is what matters
CHECKPOINT_PAGES = 20  # so that one comes within them
TRIES_MAX = 3  # a call that failed once does not fail again
WAIT_MS = 2  # for a lock that is refused for good

SAMPLE = 9  # of the longer sweeps each so-manyth call, all of them with --long


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr("aegis.store.connection.BUSY_TIMEOUT_MS", WAIT_MS)
    with small_disk(CHECKPOINT_PAGES), folder_in_memory() as made:
        yield made


@pytest.fixture
def at_rest(folder: Path) -> Image:
    """Return the files of a store that was made and has no events."""
    open_store(folder / STORE).close()
    return {each.name: each.read_bytes() for each in folder.iterdir() if each.suffix != ".lock"}


@pytest.fixture
def step(request: pytest.FixtureRequest) -> int:
    return 1 if request.config.getoption("--long") else SAMPLE


class Outcome(msgspec.Struct, frozen=True):
    """What a run came to: the calls that it made, what failed, and the log that it left."""

    calls: tuple[str, ...]
    faults: tuple[StoreError, ...]
    head_hash: str
    problems: tuple[str, ...]


class Runs:
    """Runs one trade again and again, each time with another fault."""

    def __init__(self, folder: Path, image: Image, plan: Plan) -> None:
        self._folder, self._image, self._plan = folder, image, plan
        self._wishes = wishes(1, 1)[:WISHES]
        self.whole = self.run(None)

    def run(
        self, at: int | None, *, stays: bool = False, codes: Mapping[str, int] = CODES
    ) -> Outcome:
        """Run it with a fault at one call, or from there on until the client gives up."""
        lay(self._folder, self._image)
        self._plan.fail(at, stays=stays, codes=codes)
        client = Client(self._folder / STORE)
        for wish in self._wishes:
            self._insist(client, wish)
        client.stop()
        self._plan.relent()
        proved = verify(self._folder / STORE)
        problems = tuple(each.text for each in proved.problems)
        return Outcome(tuple(self._plan.calls), tuple(client.faults), proved.head_hash, problems)

    def _insist(self, client: Client, wish: Wish) -> None:
        for _ in range(TRIES_MAX):
            if client.want(wish):
                return
        self._plan.relent()
        assert client.want(wish), f"Expected a store that works again, after {client.faults}"

    def wrong(
        self, places: Iterable[int], *, stays: bool = False, codes: Mapping[str, int] = CODES
    ) -> tuple[list[str], set[str]]:
        """Let calls fail in turn; return what went wrong, and which kinds of calls were told."""
        wrong, told = [], set()
        for at in places:
            found, name = self.run(at, stays=stays, codes=codes), self.whole.calls[at]
            if found.faults:
                told.add(name)
            if found.head_hash != self.whole.head_hash or found.problems:
                wrong.append(f"call {at}, {name}: {found.problems or 'another log'}")
        return wrong, told


def test_a_call_that_fails_once_loses_and_doubles_nothing(folder: Path, at_rest: Image) -> None:
    with refusing() as plan:
        runs = Runs(folder, at_rest, plan)
        wrong, told = runs.wrong(range(len(runs.whole.calls)))
    assert wrong == []
    assert told == set(runs.whole.calls)


def test_a_call_that_fails_while_a_store_is_made_loses_and_doubles_nothing(
    folder: Path, step: int
) -> None:
    with refusing() as plan:
        runs = Runs(folder, {}, plan)
        wrong, _ = runs.wrong(range(0, len(runs.whole.calls), step))
    assert wrong == []


def test_a_system_that_fails_from_a_call_on_loses_and_doubles_nothing(
    folder: Path, at_rest: Image, step: int
) -> None:
    with refusing() as plan:
        runs = Runs(folder, at_rest, plan)
        wrong, _ = runs.wrong(range(0, len(runs.whole.calls), step), stays=True)
    assert wrong == []


def test_a_disk_that_is_full_from_a_write_on_loses_and_doubles_nothing(
    folder: Path, at_rest: Image, step: int
) -> None:
    with refusing() as plan:
        runs = Runs(folder, at_rest, plan)
        writes = [at for at, name in enumerate(runs.whole.calls) if name == "write"]
        wrong, told = runs.wrong(writes[::step], stays=True, codes=FULL)
    assert wrong == []
    assert told == {"write"}


@pytest.mark.parametrize("is_made", [False, True], ids=["new", "at rest"])
def test_shared_memory_that_is_refused_once_loses_and_doubles_nothing(
    folder: Path, at_rest: Image, step: int, *, is_made: bool
) -> None:
    with refusing_shared_memory() as plan:
        runs = Runs(folder, at_rest if is_made else {}, plan)
        wrong, told = runs.wrong(range(0, len(runs.whole.calls), step))
    assert wrong == []
    assert told


def test_a_look_at_a_store_that_cannot_be_read_is_never_a_good_one(
    folder: Path, at_rest: Image
) -> None:
    lay(folder, at_rest)
    client = Client(folder / STORE)
    for wish in wishes(1, 1):
        assert client.want(wish)
    with refusing() as plan:
        good = verify(folder / STORE)
        calls = tuple(plan.calls)
        found = [_looked(folder / STORE, plan, at) for at in range(len(calls))]
    client.stop()
    assert good.ok
    assert [each for each in found if each not in ("not ok", "refused", good)] == []
    assert found.count(good) < len(found) // 3


def _looked(store: Path, plan: Plan, at: int) -> object:
    plan.fail(at)
    try:
        found = verify(store)
    except StoreError:
        return "refused"
    finally:
        plan.relent()
    return found if found.ok else "not ok"
