"""The tree of AEGIS, as data: who lives, in which order they start, and who takes whom along.

Start order is policy. A gateway that dies takes Reconciler, Guard and Strategy with it, so
"reconcile after any gateway failure" is the tree itself.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec

from actors import names
from actors.command_listener import CommandListener, ControlPort
from actors.diagnostician import Diagnostician
from actors.exchange_gateway import ExchangeGateway
from actors.guard import Guard
from actors.market_feed import MarketFeed
from actors.notifier import Notifier
from actors.position_store import PositionStore, subscribers
from actors.reconciler import Reconciler
from actors.strategy import Plan, StrategyRunner
from aegis.domain.events import CheckResult
from aegis.domain.ids import Symbol
from aegis.domain.risk import Limits
from aegis.domain.strategies import Strategy
from aegis.exchange.lookout import Patience as GatewayPatience
from aegis.ports import Exchange, MarketData, Messenger
from aegis.store.journal import Store
from supervisors.spec import Branch, Child, Tree


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What the actors are given: ports, limits and intervals (real seconds)."""

    tag: str
    symbols: tuple[Symbol, ...]
    limits: Limits
    open_store: Callable[[], Store]
    exchange: Exchange
    gateway_patience: GatewayPatience
    market: MarketData
    on_market_ended: Callable[[], None]
    make_strategy: Callable[[], Strategy]
    plan: Plan
    inspect: Callable[[], tuple[CheckResult, ...]]
    messengers: tuple[Messenger, ...]
    control: ControlPort
    reconcile_interval_s: float
    is_healing: bool
    diagnose_interval_s: float
    stuck_after_days: int
    day_starts_at_s: int
    heartbeat_s: float | None
    feed_check_s: float | None


def tree_of(parts: Parts) -> Tree:
    """Return the tree with everything that its actors need bound to them."""
    return Tree(
        root=Branch(name="root", strategy="one_for_one", children=(_trading(parts), _watch(parts))),
        generation_owner=names.RECONCILER,
    )


def _trading(parts: Parts) -> Branch:
    store = partial(
        PositionStore,
        open_store=parts.open_store,
        limits=parts.limits,
        subscribers=subscribers(),
    )
    gateway = partial(
        ExchangeGateway,
        exchange=parts.exchange,
        symbols=parts.symbols,
        patience=parts.gateway_patience,
    )
    reconciler = partial(
        Reconciler,
        tag=parts.tag,
        interval_s=parts.reconcile_interval_s,
        is_healing=parts.is_healing,
    )
    guard = partial(
        Guard,
        tag=parts.tag,
        limits=parts.limits,
        day_starts_at_s=parts.day_starts_at_s,
        heartbeat_s=parts.heartbeat_s,
        feed_check_s=parts.feed_check_s,
    )
    strategy = partial(StrategyRunner, make=parts.make_strategy, plan=parts.plan, tag=parts.tag)
    return Branch(
        name="trading",
        strategy="rest_for_one",
        children=(
            Child(name=names.POSITION_STORE, build=store, keeps_inbox=True),
            Child(name=names.EXCHANGE_GATEWAY, build=gateway),
            Child(name=names.RECONCILER, build=reconciler),
            Child(name=names.GUARD, build=guard),
            Child(name=names.STRATEGY, build=strategy, on_exhausted="abandon"),
        ),
    )


def _watch(parts: Parts) -> Branch:
    feed = partial(MarketFeed, market=parts.market, on_ended=parts.on_market_ended)
    diagnostician = partial(
        Diagnostician,
        inspect=parts.inspect,
        interval_s=parts.diagnose_interval_s,
        stuck_after_days=parts.stuck_after_days,
    )
    listener = partial(CommandListener, port=parts.control, quote_coin=parts.limits.quote_coin)
    return Branch(
        name="watch",
        strategy="one_for_one",
        children=(
            Child(name=names.MARKET_FEED, build=feed),
            Child(name=names.DIAGNOSTICIAN, build=diagnostician),
            Child(name=names.NOTIFIER, build=partial(Notifier, messengers=parts.messengers)),
            Child(name=names.COMMAND_LISTENER, build=listener),
        ),
    )
