"""The tree of AEGIS, as data: who lives, in which order they start, and who takes whom along.

Start order is policy. A gateway that dies takes Reconciler, Guard and Strategy with it, so
"reconcile after any gateway failure" is the tree itself.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec

from actors import names
from actors.archivist import Archivist
from actors.base import Actor, Context
from actors.bystander import Bystander
from actors.command_listener import CommandListener, ControlPort
from actors.diagnostician import Diagnostician, Inspect
from actors.exchange_gateway import ExchangeGateway
from actors.guard import Guard
from actors.market_feed import MarketFeed
from actors.notifier import Notifier
from actors.position_store import PositionStore, subscribers
from actors.reconciler import Reconciler
from actors.strategy import StrategyRunner
from aegis.archive.making import Made
from aegis.domain.diagnose import Bounds
from aegis.domain.first_look import FirstLook
from aegis.domain.ids import NANOS_PER_SECOND, Coin, Symbol
from aegis.domain.strategies import Strategy
from aegis.domain.wishes import Plan
from aegis.exchange.lookout import Patience as GatewayPatience
from aegis.exchange.watching import WatchedExchange
from aegis.messages import DiagnoseNow, ReconcileNow
from aegis.ports import Exchange, MarketData, Messenger, Pulse
from aegis.store.journal import Store
from aegis.tuning import Tuning
from supervisors.spec import Branch, Child, Tree

WATCH_EACH_S = 60.0
"""An account that others can use is looked at so often: five calls, of hundreds that are free."""

BARE_AFTER_S = 60.0
"""Real seconds: no pause before a lost stop is placed again at the exchange is longer."""


class Errand(msgspec.Struct, frozen=True, kw_only=True):
    """What the tree is started for: its first questions, and who hears the answers.

    Where it is not for trading it only looks, whatever is then written into the books, or into a
    copy of them: no order is sent, none is called off, nobody guards, and no price comes.
    """

    reconcile: ReconcileNow
    diagnose: DiagnoseNow
    is_trading: bool


TRADING = Errand(
    reconcile=ReconcileNow(trigger="start"), diagnose=DiagnoseNow(trigger="start"), is_trading=True
)
"""Nobody waits for the answers: they arm the Strategy."""


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What the actors are given: ports, and intervals in real seconds.

    `tuning` returns what applies at the moment when it is called. Without `make_strategy` nobody
    decides to trade, without `make_backup` nobody makes backups. Others may use an account that
    `is_shared`. `began_s` is when this process began, by the runtime's monotonic clock.
    """

    tag: str
    symbols: tuple[Symbol, ...]
    tuning: Callable[[], Tuning]
    quote_coin: Coin
    open_store: Callable[[], Store]
    exchange: Exchange
    gateway_patience: GatewayPatience
    market: MarketData
    on_market_ended: Callable[[], None]
    make_strategy: Callable[[], Strategy] | None
    plan: Plan
    fresh_s: float
    began_s: float
    inspect: Inspect
    unknown_after_s: int
    deep_interval_s: float | None
    messengers: tuple[Messenger, ...]
    control: ControlPort
    heartbeat_s: float | None
    feed_check_s: float | None
    pulse: Pulse
    make_backup: Callable[[str], Made] | None = None
    backup_interval_s: float = 0.0
    has_exchange_stop: bool = False
    is_shared: bool = False
    errand: Errand = TRADING


def tree_of(parts: Parts) -> Tree:
    """Return the tree with everything that its actors need bound to them."""
    lag_s = parts.gateway_patience.lag_s
    first_look = FirstLook(began_ns=_nanos(parts.began_s), lag_ns=_nanos(lag_s))
    trading, watch = _trading(parts, first_look), _watch(parts)
    return Tree(
        root=Branch(name="root", strategy="one_for_one", children=(trading, watch)),
        generation_owner=names.RECONCILER,
    )


def _nanos(seconds: float) -> int:
    return int(seconds * NANOS_PER_SECOND)


def _trading(parts: Parts, first_look: FirstLook) -> Branch:
    exchange = parts.exchange if parts.errand.is_trading else WatchedExchange(parts.exchange)
    gateway = partial(
        ExchangeGateway,
        exchange=exchange,
        symbols=parts.symbols,
        patience=parts.gateway_patience,
    )
    return Branch(
        name="trading",
        strategy="rest_for_one",
        children=(
            Child(name=names.POSITION_STORE, build=partial(_store, parts), keeps_inbox=True),
            Child(name=names.EXCHANGE_GATEWAY, build=gateway),
            Child(name=names.RECONCILER, build=partial(_reconciler, parts)),
            Child(name=names.GUARD, build=partial(_guard, parts, first_look)),
            Child(
                name=names.STRATEGY,
                build=partial(_strategy, parts),
                on_exhausted="abandon",
            ),
        ),
    )


def _watch(parts: Parts) -> Branch:
    feed = partial(MarketFeed, market=parts.market, on_ended=parts.on_market_ended)
    listener = partial(
        CommandListener,
        port=parts.control,
        quote_coin=parts.quote_coin,
        exchange_vitals=parts.exchange.vitals,
    )
    return Branch(
        name="watch",
        strategy="one_for_one",
        children=(
            Child(name=names.MARKET_FEED, build=feed),
            Child(name=names.DIAGNOSTICIAN, build=partial(_diagnostician, parts)),
            Child(name=names.NOTIFIER, build=partial(Notifier, messengers=parts.messengers)),
            Child(name=names.COMMAND_LISTENER, build=listener),
            *_archive(parts),
        ),
    )


def _archive(parts: Parts) -> tuple[Child, ...]:
    if parts.make_backup is None:
        return ()
    archivist = partial(Archivist, make=parts.make_backup, interval_s=parts.backup_interval_s)
    return (Child(name=names.ARCHIVIST, build=archivist),)


# Those whose settings may have changed since the last start ---------------------------------


def _store(parts: Parts, context: Context) -> Actor:
    return PositionStore(
        context,
        open_store=parts.open_store,
        limits=parts.tuning().limits,
        subscribers=subscribers(),
    )


def _reconciler(parts: Parts, context: Context) -> Actor:
    tuning = parts.tuning()
    return Reconciler(
        context,
        tag=parts.tag,
        limits=tuning.limits,
        interval_s=tuning.reconcile_interval_s,
        is_healing=tuning.is_healing,
        first=parts.errand.reconcile,
        lag_s=parts.gateway_patience.lag_s,
        watch_s=WATCH_EACH_S if parts.is_shared and parts.errand == TRADING else None,
        gives_up=parts.errand == TRADING,  # an errand has the time
    )


def _guard(parts: Parts, first_look: FirstLook, context: Context) -> Actor:
    if not parts.errand.is_trading:
        return Bystander(context)
    tuning = parts.tuning()
    return Guard(
        context,
        tag=parts.tag,
        limits=tuning.limits,
        day_starts_at_s=tuning.day_starts_at_s,
        heartbeat_s=parts.heartbeat_s,
        feed_check_s=parts.feed_check_s,
        pulse=parts.pulse,
        spread_bps=parts.plan.spread_bps,
        has_exchange_stop=parts.has_exchange_stop,
        first_look=first_look,
    )


def _strategy(parts: Parts, context: Context) -> Actor:
    if parts.make_strategy is None:
        return Bystander(context)
    plan = parts.tuning().plan(parts.plan)
    return StrategyRunner(
        context,
        make=parts.make_strategy,
        plan=plan,
        tag=parts.tag,
        fresh_s=parts.fresh_s,
    )


def _diagnostician(parts: Parts, context: Context) -> Actor:
    tuning = parts.tuning()
    bare_after_s = int(_bare_s(parts) / context.runtime.clock.real_s(1.0))
    return Diagnostician(
        context,
        inspect=parts.inspect,
        bounds=Bounds(
            limits=tuning.limits,
            stuck_after_days=tuning.stuck_after_days,
            unknown_after_s=parts.unknown_after_s,
            bare_after_s=bare_after_s if parts.has_exchange_stop else None,
        ),
        interval_s=tuning.diagnose_interval_s,
        deep_interval_s=parts.deep_interval_s,
        first=parts.errand.diagnose,
    )


def _bare_s(parts: Parts) -> float:
    """Return after how many real seconds a stop at the exchange is missed.

    It is placed at a price, and so not before the next one; beside an errand nobody places any.
    """
    if parts.errand != TRADING:
        return 0.0
    return max(BARE_AFTER_S, parts.gateway_patience.stale_after_s)
