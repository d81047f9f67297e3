"""What the diagnosis says of backups: a failure at once, an old one in time, a good one nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis.archive.errors import ArchiveError
from aegis.archive.making import Made
from aegis.archive.manifest import MANIFEST, FileProof, Manifest, encode
from aegis.archive.shelf import Archive
from aegis.archive.words import Order
from aegis.domain.ids import NANOS_PER_SECOND, Instant
from aegis.store.identity import Identity
from supervisors.backing import Backing

DAY_NS = 86_400 * NANOS_PER_SECOND
BEGIN = Instant(100 * DAY_NS)
MADE = Made(name="b-1", is_new=True, events=7, head_hash="cafe", size=9)
LOST = FileProof(name="aegis.db", size=1, sha256="")


class Scene:
    """A folder of backups, and a maker that does as it is told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.outcome: Made | None = MADE
        self.orders: list[Order] = []
        archive = Archive(
            store=str(folder / "aegis.db"),
            account="",
            folder=str(folder),
            copies="",
            keep=7,
            interval_ns=DAY_NS,
        )
        self.backing = Backing(archive, lambda: "2026-01-01", BEGIN, self.make)

    def make(self, order: Order) -> Made:
        self.orders.append(order)
        if self.outcome is None:
            raise ArchiveError("full")
        return self.outcome

    def keep(self, at: int, *, is_whole: bool = True) -> None:
        """Put a backup on the shelf whose last event was at an instant."""
        folder = self.folder / f"b-{at}"
        folder.mkdir()
        identity = Identity(mode="paper", exchange="x", account="main", market="simulated:1")
        manifest = Manifest(
            store="aegis.db",
            made_at=f"{at}",
            trigger="interval",
            program="0",
            schema=1,
            identity=identity,
            incarnation="i",
            birth="i",
            events=1,
            head_hash="cafe",
            last_event_at=at,
            is_whole=True,
            files=() if is_whole else (LOST,),
        )
        (folder / MANIFEST).write_bytes(encode(manifest))

    def faults(self, days_later: float) -> str:
        result = self.backing.judge(Instant(BEGIN + int(days_later * DAY_NS))).result
        return result.details


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_no_backup_is_no_fault_before_two_intervals_are_over(scene: Scene) -> None:
    assert scene.faults(1.9) == ""
    assert scene.faults(2.1) == "there is none"


def test_an_old_backup_is_a_fault_and_named(scene: Scene) -> None:
    scene.keep(BEGIN + DAY_NS)
    assert scene.faults(2.9) == ""
    assert "is the last one" in scene.faults(3.1)


def test_a_backup_that_lost_a_file_counts_for_nothing(scene: Scene) -> None:
    scene.keep(BEGIN + DAY_NS, is_whole=False)
    assert scene.faults(2.9) == "there is none"


def test_a_backup_from_before_this_life_counts_from_its_beginning(scene: Scene) -> None:
    scene.keep(BEGIN - 30 * DAY_NS)
    assert scene.faults(1) == ""


def test_a_failure_is_a_fault_until_one_succeeds(scene: Scene) -> None:
    scene.outcome = None
    with pytest.raises(ArchiveError):
        scene.backing.make("start")
    assert "could not be made" in scene.faults(0)
    scene.outcome = MADE
    scene.backing.make("retry")
    assert scene.faults(0) == ""
    assert [order.trigger for order in scene.orders] == ["start", "retry"]


def test_a_missing_copy_is_a_fault(scene: Scene) -> None:
    scene.outcome = Made(
        name="b", is_new=True, events=1, head_hash="", size=1, copy_fault="not mounted"
    )
    scene.backing.make("start")
    assert "backup.copy_to" in scene.faults(0)
