"""What the paper account's owner does by hand, as on an exchange's own page: never AEGIS' doing.

    python -m tests.paper_hand [--config PATH] [--store PATH] COMMAND

    buy SYMBOL AMOUNT [--price P]     trade at once, at P or at the price of the last trade
    sell SYMBOL AMOUNT [--price P]
    deposit COIN AMOUNT               money comes in, or leaves
    withdraw COIN AMOUNT
    cancel ORDER                      an open order, by either of its ids
    show                              balances, open orders and the latest trades

It works beside a running AEGIS and without one. Its trades carry no client order id, and happen
at the newest instant that store or ledger know of: no market moves here.

Invariant: a change is worked out on what the ledger holds when it is written; where AEGIS'
exchange was quicker, it is worked out anew.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import NoReturn

import msgspec

from aegis.cli.codes import expected_errors
from aegis.cli.output import tell
from aegis.cli.settings import config_path, load_config
from aegis.config.model import Config
from aegis.domain.ids import Coin, ExchangeOrderId, Instant, TradeId
from aegis.domain.instants import instant_of
from aegis.domain.instrument import Instrument
from aegis.domain.listing import usual_instrument
from aegis.domain.money import (
    ZERO,
    floor_to,
    is_amount,
    is_figure,
    minus,
    negative,
    plus,
    text,
    times,
)
from aegis.domain.order import OrderType, Side
from aegis.domain.venue import VenueOrder, VenueOrderStatus, VenueTrade
from aegis.exchange.paper_ledger import (
    Change,
    LedgerMovedError,
    LedgerView,
    PaperLedger,
    open_ledger,
    read_ledger,
)
from aegis.exchange.paper_matching import Book, PaperOrder, PaperRules, ended, free
from aegis.store.errors import NoStore
from aegis.store.reading import read_status
from supervisors.settings import ledger_path, market_of, paper_rules

TRIES_MAX = 50
TRADES_SHOWN = 10


class Unable(Exception):  # noqa: N818  it is what a person hears
    """It cannot be done; the text is one line."""


class Hand:
    """One account's owner. Each act is one transaction in the ledger."""

    def __init__(self, path: Path, rules: PaperRules, market: str, now: Instant) -> None:
        """Take the ledger at `path`; nothing happens before `now`."""
        self._path = path
        self._rules = rules
        self._market = market
        self._now = now

    def trade(self, side: Side, symbol: str, amount: Decimal, price: Decimal | None = None) -> str:
        """Buy or sell at once; return what was done."""
        instrument = usual_instrument(symbol)
        if instrument is None:
            raise Unable(f"expected a symbol like BTC/USDT, was {symbol!r}")
        if not is_amount(amount) or floor_to(amount, instrument.amount_step) != amount:
            raise Unable(f"expected an amount in steps of {instrument.amount_step}, was {amount}")
        at_price = price or self._last_price(instrument)
        return self._act(lambda ledger: self._traded(ledger, side, instrument, amount, at_price))

    def transfer(self, coin: str, change: Decimal) -> str:
        """Let money come in, or leave where `change` is negative; return what was done."""

        def work(ledger: PaperLedger) -> tuple[Change, str]:
            held = _account(ledger)
            if change < 0:
                _expect_free(held, Coin(coin), negative(change))
            after = plus(held.balances.get(Coin(coin), ZERO), change)
            balances = {Coin(coin): after}
            return Change(at=self._instant(ledger), balances=balances), f"{coin}: {text(after)}"

        return self._act(work)

    def cancel(self, order_id: str) -> str:
        """Take an open order back; return what was done."""

        def work(ledger: PaperLedger) -> tuple[Change, str]:
            for kept in ledger.open_orders():
                if order_id in (kept.order.exchange_order_id, kept.order.client_order_id):
                    over = ended(kept, VenueOrderStatus.CANCELED, "canceled by hand")
                    return Change(at=self._instant(ledger), orders=(over,)), f"{order_id} canceled"
            raise Unable(f"expected an open order, as `show` lists them, was {order_id!r}")

        return self._act(work)

    def _act(self, work: Callable[[PaperLedger], tuple[Change, str]]) -> str:
        with closing(open_ledger(self._path, {}, self._market, may_create=False)) as ledger:
            for _ in range(TRIES_MAX):
                version = ledger.version
                with ledger.snapshot():
                    change, told = work(ledger)
                try:
                    ledger.write(msgspec.structs.replace(change, version=version))
                except LedgerMovedError:
                    continue
                return told
        raise Unable(f"{self._path} changed {TRIES_MAX} times meanwhile; try again")

    def _last_price(self, instrument: Instrument) -> Decimal:
        trades = [t for t in read_ledger(self._path).trades if t.symbol == instrument.symbol]
        if not trades:
            raise Unable(f"nobody has traded {instrument.symbol} yet; say at which --price")
        return trades[-1].price

    def _instant(self, ledger: PaperLedger) -> Instant:
        return max(self._now, ledger.last_instant)

    def _traded(
        self,
        ledger: PaperLedger,
        side: Side,
        instrument: Instrument,
        amount: Decimal,
        price: Decimal,
    ) -> tuple[Change, str]:
        trade = self._trade_of(ledger, side, instrument, amount, price)
        held, cost = _account(ledger), times(amount, price)
        went, came = (instrument.quote, cost), (instrument.base, amount)
        if side is Side.SELL:
            went, came = came, went
        is_fee_of_it = trade.fee_currency == went[0]
        _expect_free(held, went[0], plus(went[1], trade.fee) if is_fee_of_it else went[1])
        balances = dict(held.balances)
        paid, fee = (went[0], negative(went[1])), (trade.fee_currency, negative(trade.fee))
        for coin, moved in (paid, came, fee):
            balances[coin] = plus(balances.get(coin, ZERO), moved)
        change = Change(at=trade.at, orders=(_order_of(trade),), trades=(trade,), balances=balances)
        return change, f"{trade.trade_id}: {side} {text(amount)} {trade.symbol} at {text(price)}"

    def _trade_of(
        self,
        ledger: PaperLedger,
        side: Side,
        instrument: Instrument,
        amount: Decimal,
        price: Decimal,
    ) -> VenueTrade:
        is_fee_in_base = self._rules.fee_currency == "received" and side is Side.BUY
        charged = amount if is_fee_in_base else times(amount, price)
        return VenueTrade(
            trade_id=TradeId(f"t-{ledger.next_trade_number()}"),
            exchange_order_id=ExchangeOrderId(f"x-{ledger.next_order_number()}"),
            client_order_id=None,
            symbol=instrument.symbol,
            side=side,
            amount=amount,
            price=price,
            fee=times(charged, self._rules.fee_rate),
            fee_currency=instrument.base if is_fee_in_base else instrument.quote,
            liquidity="taker",
            at=self._instant(ledger),
        )


def hand_of(config: Config) -> Hand:
    """Return the owner of a configuration's paper account, as of what its store has lived."""
    return Hand(ledger_path(config), paper_rules(config), market_of(config), _lived(config))


def _lived(config: Config) -> Instant:
    try:
        at = read_status(config.store.path).last_event_at
    except NoStore:
        return Instant(0)
    return Instant(0) if at is None else instant_of(at)


def _account(ledger: PaperLedger) -> Book:
    return Book(balances=ledger.balances(), orders=ledger.open_orders())


def _expect_free(held: Book, coin: Coin, amount: Decimal) -> None:
    available = free(held, coin)
    if amount > available:
        raise Unable(f"expected {text(amount)} {coin} free, was {text(available)}")


def _order_of(trade: VenueTrade) -> PaperOrder:
    record = VenueOrder(
        exchange_order_id=trade.exchange_order_id,
        client_order_id=None,
        symbol=trade.symbol,
        side=trade.side,
        type=OrderType.MARKET,
        amount=trade.amount,
        price=None,
        filled=trade.amount,
        status=VenueOrderStatus.FILLED,
        reason="",
        created_at=trade.at,
    )
    coin = trade.fee_currency
    return PaperOrder(order=record, trigger_price=None, reserved=ZERO, reserved_coin=coin)


# The command line ---------------------------------------------------------------------------


class _OneLine(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"paper_hand: {message}; see --help\n")


def _figure(written: str) -> Decimal:
    try:
        figure = Decimal(written)
    except InvalidOperation:
        figure = ZERO
    if not is_amount(figure) or not is_figure(figure):
        raise argparse.ArgumentTypeError(f"expected a positive figure, was {written!r}")
    return figure


def _parser() -> argparse.ArgumentParser:
    parser = _OneLine(prog="paper_hand", description="Act on the paper account by hand.")
    parser.add_argument("--config", type=Path, metavar="PATH")
    parser.add_argument("--store", type=Path, metavar="PATH", help="instead of store.path")
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_OneLine)
    for name in ("buy", "sell"):
        command = commands.add_parser(name)
        command.add_argument("symbol")
        command.add_argument("amount", type=_figure)
        command.add_argument("--price", type=_figure, help="instead of the last trade's price")
    for name in ("deposit", "withdraw"):
        command = commands.add_parser(name)
        command.add_argument("coin")
        command.add_argument("amount", type=_figure)
    commands.add_parser("cancel").add_argument("order")
    commands.add_parser("show")
    return parser


def _config(given: argparse.Namespace) -> Config:
    environ = dict(os.environ)
    if given.store is not None:
        environ["AEGIS_STORE__PATH"] = str(given.store.resolve())
    path = config_path(given.config, Path(__file__).parents[1])
    return load_config(path, environ, is_trading=False, shield=lambda code: code())


def _done(given: argparse.Namespace) -> str:
    config = _config(given)
    if not ledger_path(config).exists():
        raise Unable(f"no paper account at {ledger_path(config)}; start AEGIS once")
    hand = hand_of(config)
    match given.command:
        case "buy" | "sell":
            return hand.trade(Side(given.command), given.symbol, given.amount, given.price)
        case "deposit":
            return hand.transfer(given.coin, given.amount)
        case "withdraw":
            return hand.transfer(given.coin, negative(given.amount))
        case "cancel":
            return hand.cancel(given.order)
        case _:
            return _shown(read_ledger(ledger_path(config)))


def _shown(view: LedgerView) -> str:
    lines = [f"{coin} {text(held)}" for coin, held in view.balances.items()]
    for order in view.orders:
        if order.status is VenueOrderStatus.OPEN:
            rest = minus(order.amount, order.filled)
            named = order.client_order_id or "by hand"
            whole = f"{order.side} {text(rest)} {order.symbol}"
            lines.append(f"{order.exchange_order_id} {whole} open ({named})")
    lines += [
        f"{trade.trade_id} {trade.side} {text(trade.amount)} {trade.symbol} at {text(trade.price)}"
        for trade in view.trades[-TRADES_SHOWN:]
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Do one thing by hand; 0 done, 1 it cannot be, 2 usage."""
    given = _parser().parse_args(arguments)
    troubles: tuple[type[Exception], ...] = (Unable, *expected_errors())
    try:
        tell(_done(given))
    except troubles as error:
        sys.stderr.write(f"paper_hand: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
