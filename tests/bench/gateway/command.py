"""`python -m tests.bench gateway`: from a strategy's beat to the request at the exchange.

The same orders twice, alone and beside a thread of pure Python that never rests, as a strategy
that reckons all the time. Each begins when the one before is settled: this is how long one order
takes, not how many there can be.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from statistics import quantiles

import msgspec

from aegis.cli.output import complain, pairs, table, tell, tell_json
from tests.bench.gateway.trading import Way, trading
from tests.bench.machine import machine
from tests.bench.measuring import Failed
from tests.bench.store.acting import busy_thread
from tests.exchange_server.local import process

NANOS_PER_MS = 1e6

P99_MS_MAX = 1_000.0
"""What DESIGN grants an exit from its trigger to the wire, beyond the wait for a price."""

EXCHANGE = ("rate_limits=false", "creation_lag_s=0")
"""It carries out at once, so that order follows order; how it takes one in is the same."""

WARM_UP = 10
"""Orders that are not counted: connections are opened, modules loaded."""

STEPS: dict[str, tuple[Callable[[Way], int], Callable[[Way], int]]] = {
    "beat to intent on disk": (lambda way: way.beat, lambda way: way.intended),
    "intent to leave on disk": (lambda way: way.intended, lambda way: way.submitted),
    "leave to request at the exchange": (lambda way: way.submitted, lambda way: way.wired),
    "in all": (lambda way: way.beat, lambda way: way.wired),
}
ALONE, BUSY = "alone", "beside a busy thread"


class Took(msgspec.Struct, frozen=True, kw_only=True):
    """How long a step took, in ms; a goal is of the 99th percentile."""

    step: str
    beside: str
    p50_ms: float
    p99_ms: float
    most_ms: float
    goal_ms: float | None

    @property
    def is_met(self) -> bool | None:
        return None if self.goal_ms is None else self.p99_ms <= self.goal_ms


def compare(orders: int, *, is_json: bool) -> int:
    """Trade alone and beside a busy thread, tell what each step took; 1 where a goal is missed."""
    neighbours: dict[str, AbstractContextManager[None]] = {
        ALONE: nullcontext(),
        BUSY: busy_thread(),
    }
    took: list[Took] = []
    with tempfile.TemporaryDirectory(prefix="aegis-bench-") as name:
        folder = Path(name)
        try:
            with (
                process(folder / "exchange", "--set", *EXCHANGE) as local,
                trading(folder, local) as traded,
            ):
                traded.trade(WARM_UP)
                for beside, neighbour in neighbours.items():
                    complain(f"{orders:,} orders, {beside}")
                    with neighbour:
                        took += took_of(traded.trade(orders), beside)
        except Failed as failed:
            complain(str(failed))
            return 1
    if is_json:
        tell_json(_as_json(took, orders))
    else:
        _tell(took, orders)
    return 0 if all(each.is_met is not False for each in took) else 1


def took_of(ways: Sequence[Way], beside: str) -> list[Took]:
    """Return what each step took, and all of them together, which has the goal."""
    return [
        _took(step, beside, [(end(way) - begin(way)) / NANOS_PER_MS for way in ways])
        for step, (begin, end) in STEPS.items()
    ]


def _took(step: str, beside: str, waits_ms: Sequence[float]) -> Took:
    cuts = quantiles(waits_ms, n=100)
    return Took(
        step=step,
        beside=beside,
        p50_ms=cuts[49],
        p99_ms=cuts[98],
        most_ms=max(waits_ms),
        goal_ms=P99_MS_MAX if step == "in all" else None,
    )


def _tell(took: Sequence[Took], orders: int) -> None:
    figures = ("p50 ms", "p99 ms", "most ms", "Goal p99")
    rows = [
        (
            each.step,
            each.beside,
            *(f"{figure:.1f}" for figure in (each.p50_ms, each.p99_ms, each.most_ms)),
            "" if each.goal_ms is None else f"{each.goal_ms:,.0f}",
            {None: "", True: "met", False: "missed"}[each.is_met],
        )
        for each in took
    ]
    tell(table(("An order, from", "", *figures, " "), rows, right=figures))
    tell("")
    tell(pairs([("Orders", f"{orders:,}, each time"), *machine().items()]))


def _as_json(took: Sequence[Took], orders: int) -> dict[str, object]:
    return {
        "steps": [{**msgspec.structs.asdict(each), "is_met": each.is_met} for each in took],
        "orders": orders,
        "machine": machine(),
    }
