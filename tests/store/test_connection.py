from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import apsw
import pytest

from aegis.store.connection import close_quietly, open_reader, open_writer
from aegis.store.errors import NoStore, StoreCorrupt, StoreFailed, StoreForeign
from aegis.store.files import wal_path
from aegis.store.journal import Store
from tests.store.histories import open_store

EXPECTED = {
    "journal_mode": "wal",
    "synchronous": 2,
    "foreign_keys": 1,
    "recursive_triggers": 1,
    "cell_size_check": 1,
    "trusted_schema": 0,
    "checksum_verification": "1",
    "busy_timeout": 5000,
}

RESERVED_BYTES_AT = 20  # of the database's header

# Root may write anywhere, so it becomes somebody else, once all it needs is loaded.
READING_AS_NOBODY = """
import os, sys
from pathlib import Path
import apsw
from aegis.store import connection, migrations, reading
connection._connect(":memory:", apsw.SQLITE_OPEN_READWRITE).close()
migrations.migrations()  # read while we may still look into our own folder
if os.geteuid() == 0:
    os.setuid(65534)
print(reading.read_identity(Path(sys.argv[1])).incarnation)
"""


@pytest.mark.parametrize("name", EXPECTED)
def test_the_writer_is_set_as_the_design_says(store: Store, name: str) -> None:
    store._db.set_authorizer(None)
    assert store._db.pragma(name) == EXPECTED[name]


@pytest.mark.parametrize("name", sorted(EXPECTED.keys() - {"journal_mode"}))
def test_a_reader_is_set_likewise(store: Store, name: str) -> None:
    reader = open_reader(store.path)
    reader.set_authorizer(None)
    found = reader.pragma(name)
    reader.close()
    assert found == EXPECTED[name]


def test_only_a_store_that_nobody_keeps_does_not_wait_for_the_disk(path: Path) -> None:
    path.parent.mkdir()
    db, _ = open_writer(path, is_kept=False)
    found = {name: db.pragma(name) for name in EXPECTED}
    db.close()

    assert found == {**EXPECTED, "synchronous": 0}


def test_sqlite_never_checkpoints_by_itself(store: Store) -> None:
    store._db.set_authorizer(None)
    assert store._db.pragma("wal_autocheckpoint") == 0


def test_a_setting_that_does_not_take_is_a_fault(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    impossible = (("PRAGMA synchronous = NORMAL", "PRAGMA synchronous", 2),)
    monkeypatch.setattr("aegis.store.connection._SETTINGS", impossible)
    path.parent.mkdir()
    with pytest.raises(StoreFailed, match="expected PRAGMA synchronous to be 2, was 1"):
        open_writer(path)


def test_every_page_has_room_for_its_checksum(store: Store) -> None:
    assert store._db.reserve_bytes() == 8


def test_a_reader_cannot_write(store: Store) -> None:
    reader = open_reader(store.path)
    reader.set_authorizer(None)
    with pytest.raises(apsw.ReadOnlyError):
        reader.execute("DELETE FROM orders").fetchall()
    reader.close()


@pytest.mark.parametrize(
    "statement", ["ATTACH ':memory:' AS other", "PRAGMA writable_schema = ON", "CREATE TABLE t(a)"]
)
def test_a_reader_may_only_look(store: Store, statement: str) -> None:
    reader = open_reader(store.path)
    with pytest.raises(apsw.AuthError):
        reader.execute(statement).fetchall()
    reader.close()


def test_there_is_no_store_where_nothing_is(path: Path) -> None:
    with pytest.raises(NoStore):
        open_reader(path)


def test_an_empty_file_is_no_store(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    with pytest.raises(NoStore):
        open_reader(path)


def test_a_look_at_a_store_whose_database_has_no_page_yet_leaves_its_wal_alone(
    store: Store, tmp_path: Path
) -> None:
    # SQLite takes the WAL of an empty database for a leftover, and removes it.
    made = tmp_path / "made" / "aegis.db"
    made.parent.mkdir()
    made.touch()
    shutil.copy(wal_path(store.path), wal_path(made))
    with pytest.raises(NoStore):
        open_reader(made)
    assert wal_path(made).read_bytes() == wal_path(store.path).read_bytes() != b""


def test_another_database_is_refused_and_left_alone(path: Path) -> None:
    path.parent.mkdir()
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE trades (a)")
    other.commit()
    other.close()
    before = path.read_bytes()
    with pytest.raises(StoreForeign, match="AEGIS"):
        open_store(path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_corrupt(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"these are not the pages you are looking for " * 100)
    with pytest.raises(StoreCorrupt):
        open_store(path)


def test_a_folder_in_place_of_the_store_is_a_failure_of_ours(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(StoreFailed):
        open_store(path)


def test_a_folder_that_cannot_be_made_is_a_failure_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreFailed):
        open_store(tmp_path / "file" / "aegis.db")


def test_a_stopped_store_leaves_no_wal(path: Path) -> None:
    open_store(path).close()
    assert not wal_path(path).exists()


def test_a_store_at_rest_in_a_read_only_folder_can_be_read() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = folder / "odd ? # name%20.db"
        open_store(store).close()
        for entry in folder.iterdir():
            entry.chmod(0o444)
        folder.chmod(0o555)
        done = subprocess.run(
            [sys.executable, "-c", READING_AS_NOBODY, str(store)],
            capture_output=True,
            text=True,
            check=False,
            cwd=Path(__file__).parents[2],
            timeout=30,
        )
        folder.chmod(0o755)
        assert (done.stdout.strip(), done.stderr) == ("first", "")


def test_closing_what_is_closed_is_harmless(store: Store) -> None:
    reader = open_reader(store.path)
    close_quietly(reader)
    close_quietly(reader)
    assert store.head_hash


def test_a_header_that_denies_the_checksums_is_corrupt(path: Path) -> None:
    open_store(path).close()
    data = bytearray(path.read_bytes())
    data[RESERVED_BYTES_AT] ^= 1
    path.write_bytes(data)

    with pytest.raises(StoreCorrupt, match="8 reserved bytes a page in the header, was 9"):
        open_store(path)
    with pytest.raises(StoreCorrupt):
        open_reader(path)


def test_every_file_of_a_store_is_its_owners_alone(path: Path) -> None:
    store = open_store(path)
    modes = {each.name: each.stat().st_mode & 0o777 for each in path.parent.iterdir()}
    store.close()

    assert modes == dict.fromkeys(modes, 0o600)
    assert {"aegis.db", "aegis.db-wal", "aegis.db.lock", "aegis.db.mark"} <= modes.keys()


@pytest.mark.parametrize("limit", [(1, 1), (1, 500)])
def test_a_statement_is_compiled_once_whatever_its_values(
    path: Path, limit: tuple[int, int]
) -> None:
    open_store(path).close()
    db = open_reader(path)
    asked: list[int] = []

    def count(action: int, *_what: str | None) -> int:
        asked.append(action)
        return apsw.SQLITE_OK

    db.set_authorizer(count)
    for rows in limit:
        db.execute("SELECT event_id FROM position_events ORDER BY 1 LIMIT ?", (rows,)).fetchall()
        asked.append(-1)
    close_quietly(db)
    assert asked[-2:] == [-1, -1]
    assert len(asked) > 2
