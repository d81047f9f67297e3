"""The exchange's own record of an account, asked question by question while no AEGIS runs.

It only looks: whatever would change something is refused on our side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from queue import Empty, SimpleQueue

from aegis.clock import ManualClock, SystemClock
from aegis.config.model import Config
from aegis.dialogue import ExchangeReplied, ExchangeRequest, NoAnswer, RequestRefused
from aegis.domain.ids import Instant
from aegis.exchange.instruments import paper_instruments
from aegis.exchange.live.errors import ExchangeUnavailableError
from aegis.exchange.paper import PaperExchange
from aegis.exchange.watching import WatchedExchange
from aegis.ports import Log
from aegis.store.journal import Store
from supervisors.desks import clients_of
from supervisors.ground import ground_of
from supervisors.paces import REAL_S_MAX
from supervisors.preflight import open_own_ledger
from supervisors.settings import ledger_path, market_of, paper_rules
from supervisors.threads import ThreadRuntime

Query = Callable[[ExchangeRequest], object]
"""Asks, waits, and returns the answer; raises `ExchangeError` where a real exchange has none."""


@contextmanager
def records_of(config: Config, store: Store, log: Log) -> Iterator[Query]:
    """Yield who asks the exchange of a store."""
    if config.mode == "live":
        yield _asked_at_exchange(config, log)
        return
    balances, market = dict(config.paper.balances), market_of(config)
    first_prices = ground_of(config).first_prices
    ledger = open_own_ledger(ledger_path(config), store, balances, market, is_kept=True)
    exchange = PaperExchange(
        ledger=ledger,
        rules=paper_rules(config),
        instruments=paper_instruments(config.exchange.symbols, first_prices),
        clock=ManualClock(max(store.stamp(Instant(0)), ledger.last_instant)),
    )
    with closing(exchange):
        yield exchange.execute


def _asked_at_exchange(config: Config, log: Log) -> Query:
    from supervisors.live_desk import LiveDesk

    clients = clients_of(config, log)
    assert clients is not None, f"Expected an exchange to ask, was {config.market.source}"
    desk = LiveDesk(
        config,
        clients,
        log,
        entries_sent=0,
        on_calls=lambda _note: None,
        on_canary_over=lambda _why: None,
    )
    desk.open(ThreadRuntime(SystemClock(), log))
    exchange = WatchedExchange(desk.exchange)

    def ask(request: ExchangeRequest) -> object:
        replies: SimpleQueue[ExchangeReplied] = SimpleQueue()
        exchange.submit(request, replies.put)
        try:
            answer = replies.get(timeout=REAL_S_MAX).answer
        except Empty:
            answer = NoAnswer(reason=f"nothing within {REAL_S_MAX:g} s")
        if isinstance(answer, NoAnswer | RequestRefused):
            text = f"{config.exchange.name} cannot be asked: {answer.reason}"
            raise ExchangeUnavailableError(text)
        return answer

    return ask
