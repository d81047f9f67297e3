"""The store's actor: decided in turn, committed as one, answered after."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from actors import names
from actors.position_store import PositionStore, subscribers
from aegis.domain.commands import (
    Command,
    IntendOrder,
    RecordExternalChange,
    RecordFills,
    StartBalances,
)
from aegis.domain.events import OrderFilled
from aegis.domain.ids import Instant
from aegis.domain.mends import RebuildRows
from aegis.domain.notices import About, notice_of
from aegis.messages import (
    BookRead,
    Committed,
    Execute,
    Executed,
    KnownRead,
    MarkNotified,
    MendStore,
    NoticesAdded,
    NoticesRead,
    ReadBook,
    ReadKnown,
    ReadNotices,
    StoreMended,
)
from aegis.store.connection import open_reader
from aegis.store.identity import Identity
from aegis.store.journal import Store
from aegis.store.reading import read_calls
from aegis.store.verify import verify
from aegis.vitals import NoteCalls
from tests.actors.ensemble import Ensemble
from tests.domain.kit import (
    LIMITS,
    USDT,
    accept,
    decimals,
    entry,
    exit_of,
    fill,
    halt,
    opening,
    resume,
    submit,
)
from tests.stage import Stage

ASKER = "Asker"
FUNDED = StartBalances(balances={USDT: decimals("10000")[0]})


class Scene(Ensemble):
    """A store's actor over a real store."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        super().__init__(stage)
        stage.directory.add(ASKER)
        self.path = folder / "aegis.db"

    def open_store(self) -> Store:
        return Store.open(
            self.path,
            Identity(mode="paper", exchange="cryptocom", account="main", market="simulated:1"),
            draw_incarnation=lambda: "0" * 16,
            now=Instant(0),
            notice_of=partial(notice_of, about=About()),
        )

    def begin(self, epoch: int = 1) -> None:
        build = partial(
            PositionStore,
            open_store=self.open_store,
            limits=LIMITS,
            subscribers=subscribers(),
        )
        self.stage.launch(names.POSITION_STORE, build, epoch=epoch)

    def wants(self, command: Command) -> None:
        self.tell(names.POSITION_STORE, Execute(command=command, by="test", reply_to=ASKER))

    def asks(self, question: object) -> None:
        self.tell(names.POSITION_STORE, question)


@pytest.fixture
def scene(stage: Stage, tmp_path: Path) -> Scene:
    return Scene(stage, tmp_path)


def test_a_book_holds_what_was_committed_along_with_its_answer(scene: Scene) -> None:
    """Its reader skips what it was told before; a hole in between would never be filled."""
    scene.asks(ReadBook(reply_to=ASKER))
    scene.wants(FUNDED)
    scene.wants(halt())
    scene.begin()

    (read,) = scene.wait_heard(ASKER, BookRead)
    assert read.book.last_event_id == 2


def test_whoever_asks_hears_after_whoever_follows(scene: Scene) -> None:
    scene.wants(FUNDED)
    scene.begin()
    scene.wait_heard(ASKER, Executed)

    for name in subscribers():
        (committed,) = scene.heard(name, Committed)
        assert [recorded.event_id for recorded in committed.records] == [1]


def test_a_refusal_is_answered_and_writes_nothing(scene: Scene) -> None:
    scene.wants(submit(entry()))
    scene.begin()

    (executed,) = scene.wait_heard(ASKER, Executed)
    assert executed.refusal is not None
    assert executed.refusal.code == "not_intent"
    assert executed.records == ()


def test_what_is_known_already_is_answered_and_writes_nothing(scene: Scene) -> None:
    scene.wants(FUNDED)
    scene.wants(FUNDED)
    scene.begin()

    first, second = scene.wait_heard(ASKER, Executed, 2)
    assert (len(first.records), second.records, second.refusal) == (1, (), None)


def test_an_intent_met_again_after_its_position_was_forgotten_is_the_order_it_was(
    scene: Scene,
) -> None:
    order = entry()
    intent = IntendOrder(order=order, opening=opening())
    scene.begin()
    for command in (FUNDED, halt(), intent, submit(order)):
        scene.wants(command)
    scene.wait_heard(ASKER, Executed, 4)

    scene.wants(intent)

    *_, again = scene.wait_heard(ASKER, Executed, 5)
    assert (again.records, again.refusal) == ((), None)


def test_a_change_from_outside_is_recorded_once_though_the_command_comes_twice(
    scene: Scene,
) -> None:
    before, amount = decimals("10000", "-250")
    change = RecordExternalChange(
        kind="balance", coin=USDT, amount=amount, reference="", note="", before=before
    )
    scene.begin()
    for command in (FUNDED, change, change):
        scene.wants(command)

    *_, again = scene.wait_heard(ASKER, Executed, 3)
    assert again.records == ()


def test_ended_orders_are_read_back_for_whoever_asks(scene: Scene) -> None:
    order = entry()
    scene.begin()
    for command in (FUNDED, halt(), IntendOrder(order=order, opening=opening()), submit(order)):
        scene.wants(command)
    asked = ReadKnown(client_order_ids=(order.client_order_id,), trades=(), reply_to=ASKER)
    scene.asks(asked)

    (read,) = scene.wait_heard(ASKER, KnownRead)
    assert read.book.orders[order.client_order_id].state == "REJECTED"
    assert read.book.positions.keys() >= {order.position_id}


def test_a_notice_waits_in_the_outbox_until_it_is_marked(scene: Scene) -> None:
    scene.wants(FUNDED)
    scene.wants(halt())
    scene.asks(ReadNotices(channel="log", limit=10, turn=7, reply_to=ASKER))
    scene.begin()
    (first,) = scene.wait_heard(ASKER, NoticesRead)
    (notice,) = first.notices

    scene.asks(MarkNotified(told=((notice.event_id, notice.channel),)))
    scene.asks(ReadNotices(channel="log", limit=10, turn=7, reply_to=ASKER))

    _, second = scene.wait_heard(ASKER, NoticesRead, 2)
    assert notice.text == "\u26a0\ufe0f Trading is REDUCING: halted: operator"
    assert second.notices == ()
    assert scene.heard(names.NOTIFIER, NoticesAdded)


def test_how_calls_fared_is_written_down_beside_the_events(scene: Scene) -> None:
    note = NoteCalls(interval_s=300, calls=())
    scene.wants(FUNDED)
    scene.asks(note)
    scene.asks(ReadBook(reply_to=ASKER))
    scene.begin()
    (read,) = scene.wait_heard(ASKER, BookRead)

    noted = read_calls(scene.path)
    assert noted is not None
    assert noted.note == note
    assert read.book.last_event_id == 1


def test_rows_are_made_anew_on_demand(scene: Scene) -> None:
    scene.wants(FUNDED)
    scene.asks(MendStore(mend=RebuildRows(), reply_to=ASKER))
    scene.begin()

    scene.wait_heard(ASKER, StoreMended)
    scene.wants(halt())
    scene.wait_heard(ASKER, Executed, 2)
    assert verify(scene.path).ok


def test_a_message_that_nobody_takes_ends_this_incarnation_and_not_the_store(
    scene: Scene,
) -> None:
    scene.wants(FUNDED)
    scene.begin()
    scene.wait_heard(ASKER, Executed)
    scene.settle(names.POSITION_STORE)

    assert verify(scene.path).ok


def leave_under_way(scene: Scene) -> RecordFills:
    """Hold a position by the trade "t1", and be leaving it; return a fill of the exit by "t1"."""
    order = entry("2")
    bought = RecordFills(client_order_id=order.client_order_id, fills=(fill("t1", "2"),))
    scene.begin()
    commands: list[Command] = [FUNDED, IntendOrder(order=order, opening=opening())]
    for command in (*commands, submit(order), accept(order), bought):
        scene.wants(command)
    scene.wait_heard(ASKER, Executed, 5)
    scene.asks(ReadBook(reply_to=ASKER))
    (read,) = scene.wait_heard(ASKER, BookRead)
    leaving = exit_of(read.book.positions[order.position_id])
    scene.wants(IntendOrder(order=leaving))
    scene.wants(submit(leaving))
    scene.wants(accept(leaving))
    scene.wait_heard(ASKER, Executed, 8)
    return RecordFills(client_order_id=leaving.client_order_id, fills=(fill("t1"),))


def test_a_trade_that_is_booked_for_another_order_is_refused_and_nobody_dies_of_it(
    scene: Scene,
) -> None:
    known = leave_under_way(scene)

    scene.wants(known)

    *_, executed = scene.wait_heard(ASKER, Executed, 9)
    assert executed.refusal is not None
    assert (executed.refusal.code, executed.records) == ("trade_known_elsewhere", ())


def test_trades_beside_one_that_is_booked_elsewhere_are_recorded(scene: Scene) -> None:
    known = leave_under_way(scene)
    fills = (*known.fills, fill("t2"))

    scene.wants(RecordFills(client_order_id=known.client_order_id, fills=fills))

    *_, executed = scene.wait_heard(ASKER, Executed, 9)
    assert executed.refusal is None
    events = [recorded.event for recorded in executed.records]
    assert [e.fill.trade_id for e in events if isinstance(e, OrderFilled)] == ["t2"]


def test_a_mark_that_was_missing_is_told_at_the_start(scene: Scene) -> None:
    scene.wants(FUNDED)
    scene.begin()
    scene.wait_heard(ASKER, Executed)
    scene.path.with_name("aegis.db.mark").unlink()

    scene.begin(epoch=2)
    scene.wants(halt())
    scene.wait_heard(ASKER, Executed, 2)

    assert "StoreFinding" in scene.stage.events()


def test_a_reader_that_holds_the_wal_back_is_told_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aegis.store.wal.CHECKPOINT_PAGES", 5)
    monkeypatch.setattr("aegis.store.wal.HELD_BACK_PAGES_MAX", 20)
    scene.wants(FUNDED)
    scene.begin()
    scene.wait_heard(ASKER, Executed)
    with closing(open_reader(scene.path)) as reader:
        reader.execute("BEGIN").fetchall()
        reader.execute("SELECT count(*) FROM orders").fetchall()
        for number in range(2, 14):
            scene.wants(halt() if number % 2 else resume())
            scene.wait_heard(ASKER, Executed, number)

    assert scene.stage.events().count("StoreFinding") == 1
