"""A backup made by another process, as whoever trades has it made."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from aegis.archive.apart import make_apart
from aegis.archive.errors import ArchiveError
from aegis.archive.shelf import Archive, newest_in
from aegis.archive.words import Order
from tests.simulation.world import World


def order(archive: Archive) -> Order:
    return Order(archive=archive, trigger="start", made_at="2099-01-05T09:00:00.000Z")


def test_another_process_makes_the_same_backup(life: World, archive: Archive) -> None:
    made = make_apart(order(archive))
    status = life.status()
    assert (made.events, made.head_hash) == (status.events, status.head_hash)
    backup = newest_in(life.config.backup.path, "aegis.db")
    assert backup is not None
    assert backup.manifest.trigger == "start"


def test_what_the_other_process_complains_of_is_one_line_here(archive: Archive) -> None:
    with pytest.raises(ArchiveError, match="start AEGIS once") as raised:
        make_apart(order(replace(archive, store=archive.store + "-none")))
    assert "\n" not in str(raised.value)
