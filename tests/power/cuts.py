"""Power cuts: what a store's own opening makes of what the disk kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from enum import Enum, auto
from pathlib import Path
from random import Random

import msgspec

from aegis.store.errors import StoreError
from aegis.store.mark import read_mark
from aegis.store.verify import verify
from tests.power.disk import Disk, Image, Manner
from tests.power.lives import Contents, Life
from tests.power.recorder import Trace, recording
from tests.store.histories import open_store
from tests.store.tampering import contents

STORE = "aegis.db"


class Verdict(Enum):
    """What a cut came to. Only the first is good."""

    KEPT = auto()
    LOST = auto()
    MADE_UP = auto()
    REFUSED = auto()
    MARK_LEADS = auto()
    UNPROVED = auto()


class Recorded(msgspec.Struct, frozen=True):
    """One life: what it did to the disk, and what it held after each promise."""

    trace: Trace
    promised: tuple[Contents, ...]


class Cut(msgspec.Struct, frozen=True):
    """Where the power went, and what was left; the first `promises` had been given."""

    after: int
    manner: Manner
    promises: int
    image: Image


class Found(msgspec.Struct, frozen=True):
    """What the next opening found, or why it refused."""

    contents: Contents = ""
    refusal: str = ""
    last_event_id: int = 0
    mark_event_id: int = 0
    problems: tuple[str, ...] = ()


def recorded_life(
    folder: Path,
    seed: int,
    image: Image,
    live: Callable[[Life], None],
    *,
    failing_sync: int | None = None,
) -> Recorded:
    """Live once in `folder`, from what is on the disk."""
    lay(folder, image)
    with recording(image, failing_sync=failing_sync) as trace:
        life = Life(folder / STORE, seed, trace.promise)
        live(life)
        life.leave()
    return Recorded(trace, tuple(life.promised))


def cuts(recorded: Recorded, count: int, choose: Random) -> Iterator[Cut]:
    """Yield cuts at seeded places, from the first operation to the last."""
    trace = recorded.trace
    manners = [Manner.DROPPED, *Manner]  # a disk drops more often than it does anything else
    places = Counter(choose.choices(range(len(trace.operations) + 1), k=count))
    disk = Disk(trace.image)
    for after in range(len(trace.operations) + 1):
        if after > 0:
            disk.do(trace.operations[after - 1])
        promises = sum(at <= after for at in trace.promised_at) if places[after] else 0
        for _ in range(places[after]):
            manner = choose.choice(manners)
            yield Cut(after, manner, promises, disk.after_cut(manner, choose))


class Judge:
    """Starts the store after cuts, and judges what it finds; each image is started once."""

    def __init__(self, folder: Path, verify_every: int, *, may_mend: bool = False) -> None:
        self._folder, self._verify_every, self._may_mend = folder, verify_every, may_mend
        self._known: dict[int, Found] = {}

    @property
    def images(self) -> int:
        """How many different disks were started."""
        return len(self._known)

    def verdicts(self, recorded: Recorded, all_cuts: Iterable[Cut]) -> Counter[Verdict]:
        """Return how often each verdict came."""
        return Counter(self.verdict(recorded, cut) for cut in all_cuts)

    def verdict(self, recorded: Recorded, cut: Cut) -> Verdict:
        """Judge one cut: the last promise must be there, or what was under way, and no more."""
        found = self._found(cut.image)
        if found.mark_event_id > found.last_event_id:
            return Verdict.MARK_LEADS
        if found.refusal:
            return Verdict.REFUSED
        if found.problems:
            return Verdict.UNPROVED
        lawful = recorded.promised[max(0, cut.promises - 1) : cut.promises + 1]
        if found.contents in lawful:
            return Verdict.KEPT
        is_older = found.contents in recorded.promised[: cut.promises]
        return Verdict.LOST if is_older else Verdict.MADE_UP

    def _found(self, image: Image) -> Found:
        key = _key(image)
        if key not in self._known:
            is_verified = len(self._known) % self._verify_every == 0
            self._known[key] = found_after(
                self._folder, image, is_verified=is_verified, may_mend=self._may_mend
            )
        return self._known[key]


def found_after(folder: Path, image: Image, *, is_verified: bool, may_mend: bool) -> Found:
    """Start the store on an image as any process does, and look at all that it holds."""
    lay(folder, image)
    path = folder / STORE
    mark = read_mark(path).mark
    mark_event_id = 0 if mark is None else mark.event_id
    try:
        store = open_store(path, may_mend=may_mend)
    except StoreError as error:
        return Found(refusal=str(error))
    found = contents(store)
    last = store.last_event_id
    store.abandon()
    problems: tuple[str, ...] = ()
    if is_verified:
        problems = tuple(f"{each.check}: {each.text}" for each in verify(path).problems)
    return Found(found, "", last, mark_event_id, problems)


def lay(folder: Path, image: Image) -> None:
    """Let a folder hold the image and nothing else."""
    for each in folder.iterdir():
        each.unlink()
    for name, content in image.items():
        (folder / name).write_bytes(content)


def _key(image: Image) -> int:
    """Return what tells one disk from another: Python's hash of 64 bits, the quickest there is."""
    return hash(tuple(image.items()))
