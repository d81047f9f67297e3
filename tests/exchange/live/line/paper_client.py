"""A client whose exchange is the paper one: single calls, answered by a venue with behaviour."""

from __future__ import annotations

from aegis.dialogue import (
    AccountFetched,
    CancelAccepted,
    CancelOrder,
    ExchangeAnswer,
    ExchangeRequest,
    FetchAccount,
    FetchInstruments,
    FetchQuote,
    FindOrder,
    InstrumentsFetched,
    OrderFound,
    OrderNotFound,
    OrderPlaced,
    QuoteFetched,
    RequestRefused,
)
from aegis.domain.ids import NANOS_PER_SECOND, Instant
from aegis.exchange.live.calls import (
    Answered,
    Call,
    Cancel,
    Lost,
    Outcome,
    Page,
    Place,
    ReadBalances,
    ReadInstruments,
    ReadOpenOrders,
    ReadOrder,
    ReadQuote,
    ReadTrades,
    Refused,
    Verdict,
)
from tests.exchange.paper_kit import Table


class PaperClient:
    """Makes each call of the paper exchange on a table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def execute(self, call: Call) -> Outcome:
        answer = self._table.ask(_request_of(call))
        assert isinstance(answer, ExchangeAnswer), answer
        now = self._table.clock.now()
        server_at = Instant(now - now % NANOS_PER_SECOND)
        verdict = _verdict_of(call, answer)
        return Outcome(call=call, verdict=verdict, server_at=server_at, http_status=200)


def _request_of(call: Call) -> ExchangeRequest:
    match call:
        case Place():
            return call.order
        case Cancel(client_order_id=key, symbol=symbol):
            return CancelOrder(client_order_id=key, symbol=symbol)
        case ReadOrder(client_order_id=key, symbol=symbol):
            return FindOrder(client_order_id=key, symbol=symbol, since=Instant(0))
        case ReadTrades():
            return FetchAccount(trades_since=call.since)
        case ReadInstruments():
            return FetchInstruments(symbols=call.symbols)
        case ReadQuote():
            return FetchQuote(symbol=call.symbol)
        case _:
            return FetchAccount(trades_since=Instant(0))


def _verdict_of(call: Call, answer: ExchangeAnswer) -> Verdict:
    match answer:
        case RequestRefused(code=code, reason=reason):
            return Refused(code=code, venue_code="paper", reason=reason)
        case OrderPlaced():
            return Answered(value=answer.exchange_order_id)
        case CancelAccepted() | OrderNotFound():
            return Answered(value=None)
        case OrderFound():
            return Answered(value=answer.order)
        case InstrumentsFetched():
            return Answered(value=answer.instruments)
        case QuoteFetched():
            return Answered(value=answer.quote)
        case AccountFetched(account=account):
            match call:
                case ReadTrades():
                    told = tuple(each for each in account.trades if each.at <= call.until)
                    return Answered(value=Page(trades=told, is_full=False))
                case ReadOpenOrders():
                    return Answered(value=account.open_orders)
                case ReadBalances():
                    return Answered(value=account.balances)
    return Lost(reason=f"no way to answer {type(call).__name__}")
