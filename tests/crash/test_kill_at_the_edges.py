"""SIGKILL at a start, at an end, right after a person's command, and beyond a stop."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from aegis.cli.codes import Code
from aegis.clock import seeded_random, sleep
from aegis.domain.account import TradingState
from aegis.domain.ids import NANOS_PER_SECOND, EventId
from aegis.domain.instants import instant_of
from aegis.domain.order import OrderState, Role
from aegis.store.lock import holder_of
from tests.crash.evidence import Evidence, look, records_since
from tests.crash.process import POLL_S, RUN, Process
from tests.crash.scene import UNHURRIED, Scene

START_S_MAX = 0.05
DRAIN_S_MAX = 0.05

# At a start ---------------------------------------------------------------------------------


def test_a_kill_while_a_store_is_made_leaves_what_the_next_start_takes(
    make_scene: Callable[..., Scene],
) -> None:
    chances = seeded_random(4)
    for _ in range(3):
        scene = make_scene(program=RUN)
        process = scene.start()
        wait_for_lock(scene, process)
        sleep(chances.uniform(0, START_S_MAX))
        process.kill()

        scene.restart()


def test_kills_during_recovery_change_nothing(make_scene: Callable[..., Scene]) -> None:
    chances = seeded_random(5)
    scene = make_scene(UNHURRIED)
    process = scene.restart()
    order = scene.wait_for_unheard(process, Role.ENTRY)
    scene.kill(process)
    scene.hold(None)
    for event in ("", "", "StoreOpened", "ReconciliationCompleted", "DiagnosisCompleted"):
        process = scene.start()
        wait_for_lock(scene, process)
        if event:
            process.wait_for(event)
        else:
            sleep(chances.uniform(0, START_S_MAX))
        scene.kill(process)

    scene.restart()

    assert look(scene.store).orders[order.client_order_id].state is OrderState.FILLED


def wait_for_lock(scene: Scene, process: Process) -> None:
    """Wait until a process is the store's writer: from here on it opens, checks and recovers."""

    def is_held() -> bool | None:
        return True if holder_of(scene.store) == process.pid else None

    process.wait_until(is_held, lambda: "the lock", POLL_S)


# Two at once --------------------------------------------------------------------------------


def test_the_lock_is_held_as_long_as_its_process_lives_and_no_longer(scene: Scene) -> None:
    first = scene.restart()
    second = scene.start()
    assert second.exit_code() == Code.BUSY
    assert len(second.errors().splitlines()) == 1
    assert str(first.pid) in second.errors()
    assert first.is_alive

    first.kill()
    third = scene.restart()
    assert holder_of(scene.store) == third.pid


# At an end ----------------------------------------------------------------------------------


def test_a_kill_during_the_drain_loses_nothing(scene: Scene) -> None:
    chances = seeded_random(6)
    process = scene.restart()
    for _ in range(4):
        process.terminate()
        sleep(chances.uniform(0, DRAIN_S_MAX))
        scene.kill(process)
        process = scene.restart()


def test_a_drain_does_not_wait_for_an_answer_and_the_next_start_looks_it_up(
    make_scene: Callable[..., Scene],
) -> None:
    scene = make_scene(UNHURRIED)
    process = scene.restart()
    order = scene.wait_for_unheard(process, Role.ENTRY)
    process.terminate()
    assert process.exit_code() == 0
    left = scene.look_at_the_dead()
    assert left.orders[order.client_order_id].state is OrderState.SUBMITTING
    scene.hold(None)

    scene.restart()

    assert look(scene.store).orders[order.client_order_id].state is OrderState.FILLED


# After a person's command ---------------------------------------------------------------------


def test_a_halt_that_was_answered_survives_a_kill_and_so_does_a_resume(scene: Scene) -> None:
    process = scene.restart()
    assert scene.ask("halt").is_done
    halted = scene.kill(process)
    assert state_of(halted) == (TradingState.REDUCING, "operator")

    process = scene.restart()
    sleep(0.3)  # three beats
    assert scene.ask("resume").is_done
    resumed = scene.kill(process)
    assert state_of(resumed) == (TradingState.ACTIVE, "")
    assert entries_since(scene, halted) == []

    process = scene.restart()
    process.wait_until(lambda: entries_since(scene, resumed) or None, lambda: "an entry")


def test_a_flatten_that_was_answered_ends_flat_after_a_kill(
    make_scene: Callable[..., Scene],
) -> None:
    scene = make_scene(UNHURRIED)
    process = scene.restart()
    scene.wait_for_position(process)
    assert scene.ask("flatten").is_done
    killed = scene.kill(process)

    process = scene.restart()

    def flat() -> Evidence | None:
        found = look(scene.store)
        return None if found.book.account.is_flattening else found

    ended = process.wait_until(flat, lambda: "the end of the flattening")
    assert ended.book.alive_positions() == ()
    assert state_of(ended) == (TradingState.REDUCING, "flatten")
    assert entries_since(scene, killed) == []


def state_of(found: Evidence) -> tuple[TradingState, str]:
    return found.book.account.trading_state, found.book.account.cause


def entries_since(scene: Scene, before: Evidence) -> list[str]:
    """Return the entries that were intended after a kill."""
    orders = look(scene.store).orders
    return [
        order_id
        for order_id, order in orders.items()
        if order.role is Role.ENTRY and order_id not in before.orders
    ]


# Beyond a stop --------------------------------------------------------------------------------

BEGINS = instant_of("2024-01-01T00:00:00.000000000Z")
MINUTE_NS = 60 * NANOS_PER_SECOND
CANDLES = 400
STEADY, GAPPED = Decimal(40_000), Decimal(38_000)

REPLAY = """
[exchange]
call_deadline_s = 1

[market]
source = "replay"
path = "candles.csv"
speed = 60
poll_interval_s = 0.05

[strategy]
name = "metronome"
params = { period_s = 60 }

[risk]
stop_loss_pct = 2
price_collar_pct = 10
"""


def test_a_stop_that_was_passed_while_nobody_lived_is_executed_after_one_look(
    make_scene: Callable[..., Scene],
) -> None:
    scene = make_scene(REPLAY)
    write_candles(scene, gap_at=None)
    process = scene.restart()
    position = scene.wait_for_position(process)
    killed = scene.kill(process)
    lived_until = records_since(scene.store, EventId(killed.event_id - 1))[-1].at
    gap_at = BEGINS + ((lived_until - BEGINS) // MINUTE_NS + 1) * MINUTE_NS
    write_candles(scene, gap_at=gap_at)

    process = scene.start()

    def closed() -> Evidence | None:
        found = look(scene.store)
        return None if found.book.alive_positions() else found

    ended = process.wait_until(closed, lambda: "the exit")
    fill = ended.fills[-1]
    assert position.stop_price is not None
    assert fill.price <= GAPPED < position.stop_price
    assert gap_at <= fill.at < gap_at + 2 * MINUTE_NS  # two seconds
    assert process.lines("ExitTriggered")[0]["reason"] == "stop_loss"
    (looked,) = process.lines("ReconciliationCompleted")
    assert looked["ts"] < process.lines("ExitTriggered")[0]["ts"]

    scene.check_recovery(process)


def write_candles(scene: Scene, *, gap_at: int | None) -> None:
    """Write minutes that stand still, from an instant on 5 % lower."""
    rows = ["timestamp,open,high,low,close,volume"]
    for number in range(CANDLES):
        open_at = BEGINS + number * MINUTE_NS
        price = STEADY if gap_at is None or open_at < gap_at else GAPPED
        rows.append(f"{open_at // NANOS_PER_SECOND},{price},{price},{price},{price},1000")
    (scene.folder / "candles.csv").write_text("\n".join(rows) + "\n", "utf-8")
