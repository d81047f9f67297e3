"""What a restored store has forgotten: found at the exchange, shown, and booked on a person's word.

Done under the store's lock, where no AEGIS runs. What reconciliation does by itself (orders that
the store knows, by their trades and ends; what others did) it does first, so that it is done once;
what is left with our tag is no difference to heal but a past to take up.

Invariants:
1. A dry run is done in a copy; what it shows is what is booked afterwards, if nothing moves.
2. Each order is decided on the book that the ones before it have made.
3. A kill leaves the orders that were booked; the same command again goes on with the others.
4. Nothing is booked while a symbol of what was forgotten is not configured: after a recovery the
   next look begins where this one ended, and what was passed over would never be seen again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from decimal import Decimal
from functools import partial

import msgspec

from aegis.clock import draw_hex
from aegis.config.model import Config
from aegis.config.policy import stop_policy_of
from aegis.control import Answer
from aegis.dialogue import (
    AccountFetched,
    FetchAccount,
    FetchInstruments,
    FindOrder,
    InstrumentsFetched,
    OrderFound,
    OrderNotFound,
)
from aegis.domain.commands import AdoptOrder, Command, CompleteRecovery, Refusal
from aegis.domain.discrepancies import named_orders
from aegis.domain.events import OrderFilled, Recorded, name_of
from aegis.domain.ids import Instant, account_tag
from aegis.domain.money import total
from aegis.domain.narrate import describe
from aegis.domain.notices import notice_of
from aegis.domain.order import OrderType
from aegis.domain.reconcile import trades_since
from aegis.domain.restored import LostOrder, Terms, adoption_of, in_turn, told_adoption, told_order
from aegis.domain.venue import VenueAccount
from aegis.exchange.live.errors import ExchangeUnavailableError
from aegis.ports import Log, Messenger
from aegis.store.clerk import Clerk
from aegis.store.errors import StoreUnguarded
from aegis.store.journal import Store
from supervisors.backing import back_up_before_migration
from supervisors.quick import INCARNATION_DIGITS
from supervisors.records import Query, records_of
from supervisors.settings import (
    about_of,
    identity_of,
    limits_of,
)

OPERATOR = "operator"

NOTHING = Answer(is_done=True, text="nothing is forgotten: no order of ours is unknown here")


class Booked(msgspec.Struct, frozen=True, kw_only=True):
    """A forgotten order that was booked; `not_ours` is what it sold that no position held."""

    adoption: AdoptOrder
    not_ours: Decimal


class Recovery(msgspec.Struct, frozen=True, kw_only=True):
    """What recovers. `reconcile` compares the books with the exchange's, and heals."""

    config: Config
    messengers: tuple[Messenger, ...]
    log: Log
    reconcile: Callable[[], Answer]

    def find(self) -> Answer:
        """Tell what would be booked, by booking it in the copy that this is done in."""
        self.reconcile()
        with closing(self._open()) as store:
            booked, left = self._take_up(store, self._clerk(store))
        if not booked and not left:
            return NOTHING
        return Answer(is_done=False, text="\n".join(_told("would book", booked, left)))

    def book(self) -> Answer:
        """Book what was forgotten, and compare once more; done when nothing is left."""
        self.reconcile()
        with closing(self._open()) as store:
            clerk = self._clerk(store)
            booked, left = self._take_up(store, clerk)
            if not booked and not left:
                return NOTHING
            fills = sum(len(each.adoption.fills) for each in booked)
            done = CompleteRecovery(orders=len(booked), fills=fills, left=left)
            self._execute(clerk, done)
        compared = self.reconcile()
        lines = [*_told("booked", booked, left), compared.text]
        return Answer(is_done=compared.is_done and not left, text="\n".join(lines))

    def _open(self) -> Store:
        return Store.open(
            self.config.store.path,
            identity_of(self.config),
            draw_incarnation=lambda: draw_hex(INCARNATION_DIGITS),
            now=Instant(0),
            channels=tuple(each.channel for each in self.messengers),
            notice_of=partial(notice_of, about=about_of(self.config)),
            backup=partial(back_up_before_migration, self.config),
        )

    def _clerk(self, store: Store) -> Clerk:
        return Clerk(store, limits_of(self.config), by=OPERATOR)

    def _take_up(self, store: Store, clerk: Clerk) -> tuple[tuple[Booked, ...], tuple[str, ...]]:
        """Decide on each forgotten order; return what is booked, and why the others are not.

        In the exchange's order of things, once: tried again later, one that belongs to nobody
        might fit a position that it never was of.
        """
        booked: list[Booked] = []
        left: list[str] = []
        with records_of(self.config, store, self.log) as ask:
            terms, forgotten = self._terms(store, ask), in_turn(self._lost(store, ask))
        refuse_unlisted(forgotten, terms)
        for lost in forgotten:
            adoption = adoption_of(lost, terms)
            if why := known_elsewhere(store, adoption):
                left.append(why)
                continue
            done = self._execute(clerk, adoption)
            if isinstance(done, Refusal):
                left.append(done.text)
                continue
            fills = (each.event for each in done if isinstance(each.event, OrderFilled))
            not_ours = total(fill.not_ours for fill in fills)
            booked.append(Booked(adoption=adoption, not_ours=not_ours))
        return tuple(booked), tuple(left)

    def _execute(self, clerk: Clerk, command: Command) -> tuple[Recorded, ...] | Refusal:
        """Decide, write and tell; or return why not."""
        done = clerk.execute(command, now=Instant(0))
        for recorded in () if isinstance(done, Refusal) else done:
            level, fields = describe(recorded)
            self.log(name_of(recorded.event), level=level, **fields)
        return done

    # The exchange's record --------------------------------------------------------------------

    def _lost(self, store: Store, ask: Query) -> Iterator[LostOrder]:
        """Yield the orders with our tag that the exchange tells of and the store does not know."""
        identity = identity_of(self.config)
        tag = account_tag(identity.mode, identity.exchange, identity.account)
        since = trades_since(store.book)
        told = ask(FetchAccount(trades_since=since))
        assert isinstance(told, AccountFetched), f"Expected the account, was {told}"
        account = told.account
        for wanted in wanted_of(account, tag, since):
            order_id = wanted.client_order_id
            if order_id in store.book.orders or store.find_order(order_id) is not None:
                continue
            found = ask(wanted)
            if isinstance(found, OrderNotFound):  # a stop that fired since is kept with the others
                found = ask(msgspec.structs.replace(wanted, is_stop=not wanted.is_stop))
            if isinstance(found, OrderNotFound):
                why = f"the exchange names order {order_id}, and does not find it when asked"
                raise ExchangeUnavailableError(f"{why}; try again")
            assert isinstance(found, OrderFound), f"Expected {order_id}, was {found}"
            yield LostOrder(order=found.order, trades=found.trades)

    def _terms(self, store: Store, ask: Query) -> Terms:
        told = ask(FetchInstruments(symbols=self.config.exchange.symbols))
        assert isinstance(told, InstrumentsFetched), f"Expected the instruments, was {told}"
        return Terms(
            incarnation=store.incarnation,
            strategy=self.config.strategy.name,
            policy=stop_policy_of(self.config),
            instruments={each.symbol: each for each in told.instruments},
        )


def wanted_of(account: VenueAccount, tag: str, since: Instant) -> tuple[FindOrder, ...]:
    """Return how each order with our tag that the exchange names is looked up.

    A stop at rest is where stops are kept.
    """
    stops = {each.client_order_id for each in account.open_orders if each.type is OrderType.STOP}
    symbols = {each.client_order_id: each.symbol for each in account.open_orders}
    symbols |= {each.client_order_id: each.symbol for each in account.trades}
    return tuple(
        FindOrder(client_order_id=key, symbol=symbols[key], since=since, is_stop=key in stops)
        for key in named_orders(account, tag)
    )


def refuse_unlisted(forgotten: Iterable[LostOrder], terms: Terms) -> None:
    """Refuse to pass over what was forgotten in a symbol of which no rules are known."""
    counts = Counter(each.order.symbol for each in forgotten)
    for symbol in sorted(counts.keys() - terms.instruments.keys()):
        raise StoreUnguarded(symbol, f"has forgotten orders ({counts[symbol]})")


def known_elsewhere(store: Store, command: AdoptOrder) -> str:
    """Return which trades of an order the store has booked elsewhere, or nothing."""
    symbol, fills = command.order.symbol, command.fills
    known = [each.trade_id for each in fills if store.is_known_trade(symbol, each.trade_id)]
    if not known:
        return ""
    return f"{told_order(command)}: trades {', '.join(known)} are booked already"


def _told(what: str, booked: tuple[Booked, ...], left: tuple[str, ...]) -> Iterator[str]:
    for each in booked:
        yield from told_adoption(what, each.adoption, each.not_ours)
    for why in left:
        yield f"left for you: {why}"
