"""The clerk decides and commits for a person: all of what is asked, or none."""

from __future__ import annotations

import pytest

import aegis.store.reserve
from aegis.domain.commands import Refusal
from aegis.domain.ids import PositionId
from aegis.domain.position import PositionStatus
from aegis.store.clerk import Clerk
from aegis.store.journal import Store
from aegis.store.reserve import FREE_BYTES_MIN
from tests.domain.kit import ETH_USDT, START, halt, opening, resume
from tests.domain.test_told import HELD, brought, sale, told_entry
from tests.store.histories import LIMITS


def clerk(store: Store) -> Clerk:
    return Clerk(store, LIMITS, by="tester")


def test_several_commands_are_one_commit(store: Store) -> None:
    other = brought(position_id=PositionId("other"), opening=opening(ETH_USDT))
    records = clerk(store).execute(brought(), other, now=START)
    assert not isinstance(records, Refusal)
    assert [record.position_id for record in records] == [HELD, "other"]
    assert {record.actor for record in records} == {"tester"}
    assert store.last_event_id == 2


def test_one_refusal_among_several_leaves_book_and_log_as_they_were(store: Store) -> None:
    refused = clerk(store).execute(brought(), told_entry(), now=START)
    assert isinstance(refused, Refusal)
    assert (store.last_event_id, store.book.last_event_id) == (0, 0)
    assert store.book.alive_positions() == ()
    assert clerk(store).execute(brought(), now=START)


def test_entries_do_not_go_on_where_there_is_no_room(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert clerk(store).execute(halt(), now=START)
    with monkeypatch.context() as patch:
        patch.setattr(aegis.store.reserve, "free_bytes", lambda _store: FREE_BYTES_MIN - 1)
        refused = clerk(store).execute(resume(), now=START)
        assert isinstance(refused, Refusal)
        assert (refused.code, refused.mends_with_time) == ("disk", True)
        assert clerk(store).execute(halt("drawdown"), now=START) == ()
    assert clerk(store).execute(resume(), now=START)


def test_what_is_known_already_writes_nothing(store: Store) -> None:
    clerk(store).execute(brought(), now=START)
    assert clerk(store).execute(brought(), now=START) == ()
    assert store.last_event_id == 1


def test_what_closed_and_was_forgotten_can_be_brought_back(store: Store) -> None:
    clerk(store).execute(told_entry(), now=START)
    clerk(store).execute(sale("110"), now=START)
    store.book.forget_ended()
    assert HELD not in store.book.positions
    found = clerk(store).recall(HELD)
    assert found is not None
    assert found.status is PositionStatus.CLOSED
    assert len(store.book.orders_of(HELD)) == 2
    assert clerk(store).recall(PositionId("nobody")) is None
