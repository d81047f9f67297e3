"""How the gateway asks what can be traded, and who hears of it."""

from __future__ import annotations

from abc import abstractmethod

from actors import names
from actors.base import Actor, Context
from aegis.dialogue import (
    ExchangeAnswer,
    ExchangeRequest,
    FetchInstruments,
    FetchQuote,
    InstrumentsFetched,
)
from aegis.domain.book import Book
from aegis.domain.commands import ChangeInstrument, Command
from aegis.domain.ids import Symbol
from aegis.exchange.lookout import LOOK_AT_MARKET, UNTRADED_S, Listing, Patience
from aegis.exchange.outcomes import reason_of
from aegis.messages import InstrumentsKnown, InstrumentsWanted
from aegis.ports import Exchange, Timer


class AtMarket(Actor):
    """Keeps what the exchange lists: asks for it, passes it on, has each position go by it."""

    def __init__(
        self,
        context: Context,
        *,
        exchange: Exchange,
        symbols: tuple[Symbol, ...],
        patience: Patience,
    ) -> None:
        super().__init__(context)
        self._exchange = exchange
        self._symbols = symbols
        self._patience = patience
        self._book: Book | None = None
        self._listing = Listing(symbols, patience.listing_each_s)
        self._listing_timer: Timer | None = None

    @abstractmethod
    def _execute(self, command: Command, *, is_answer_wanted: bool = False) -> None:
        """Ask the store for something."""

    def _submit(self, request: ExchangeRequest) -> None:
        self._exchange.submit(request, self.reply_to())

    def ask_for_market(self) -> None:
        """Ask what can be traded, and at what price."""
        self._submit(FetchInstruments(symbols=self._symbols))
        for symbol in self._symbols:
            self._submit(FetchQuote(symbol=symbol))

    def ask_for_listing(self) -> None:
        """Ask what can be traded, where an answer of some hours ago is none."""
        self._submit(FetchInstruments(symbols=self._symbols, is_anew=True))

    def heard_instruments(self, request: FetchInstruments, answer: ExchangeAnswer) -> None:
        """Take what can be traded, or ask again; a real exchange is asked now and then."""
        if not isinstance(answer, InstrumentsFetched):
            self.log("InstrumentsUnknown", level="warning", reason=reason_of(answer))
            if request.is_anew:
                self._ask_anew_in(UNTRADED_S)
            else:
                self.after(self._patience.poll_interval_s, InstrumentsWanted())
            return
        if self._listing.hear(answer.instruments):
            self._listing.want(names.STRATEGY)
            self.tell(names.DIAGNOSTICIAN, LOOK_AT_MARKET)
        self.tell_instruments()
        self.compare_instruments()
        if (due_s := self._listing.due_s) is not None:
            self._ask_anew_in(due_s)

    def _ask_anew_in(self, seconds: float) -> None:
        if self._listing_timer is not None:
            self._listing_timer.cancel()
        self._listing_timer = self.after(seconds, InstrumentsWanted(is_anew=True))

    def compare_instruments(self) -> None:
        """Have each position go by what the exchange lists, whoever told of it before."""
        for instrument in self._listing.instruments:
            position = None if self._book is None else self._book.position_of(instrument.symbol)
            if position is not None and position.instrument != instrument:
                self._execute(
                    ChangeInstrument(position_id=position.position_id, instrument=instrument)
                )

    def tell_instruments(self) -> None:
        """Tell whoever waits for it what can be traded, once that is known."""
        for name in self._listing.take_readers():
            self.tell(name, InstrumentsKnown(instruments=self._listing.instruments))
