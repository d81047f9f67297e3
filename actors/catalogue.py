"""What the exchange lists, as its gateway asks for it and passes it on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from actors import names
from actors.base import Actor
from aegis.dialogue import (
    ExchangeAnswer,
    ExchangeRequest,
    FetchInstruments,
    FetchQuote,
    InstrumentsFetched,
)
from aegis.domain.book import Book
from aegis.domain.commands import ChangeInstrument
from aegis.domain.ids import Symbol
from aegis.exchange.lookout import LOOK_AT_MARKET, UNTRADED_S, Listing, Patience
from aegis.exchange.outcomes import reason_of
from aegis.messages import InstrumentsKnown, InstrumentsWanted
from aegis.ports import Timer


class Catalogue:
    """Held by the `gateway`, in whose name it speaks; `submit` asks the exchange."""

    def __init__(
        self,
        gateway: Actor,
        submit: Callable[[ExchangeRequest], None],
        symbols: tuple[Symbol, ...],
        patience: Patience,
    ) -> None:
        self._gateway = gateway
        self._submit = submit
        self._symbols = symbols
        self._poll_interval_s = patience.poll_interval_s
        self._listing = Listing(symbols, patience.listing_each_s)
        self._timer: Timer | None = None

    def ask(self) -> None:
        """Ask what can be traded, and at what price."""
        self._submit(FetchInstruments(symbols=self._symbols))
        for symbol in self._symbols:
            self._submit(FetchQuote(symbol=symbol))

    def ask_anew(self) -> None:
        """Ask what can be traded, where an answer of some hours ago is none."""
        self._submit(FetchInstruments(symbols=self._symbols, is_anew=True))

    def want(self, name: str) -> None:
        """Tell somebody what can be traded, once that is known."""
        self._listing.want(name)
        self._tell()

    def hear(self, request: FetchInstruments, answer: ExchangeAnswer) -> None:
        """Take what can be traded, or ask again; a real exchange is asked now and then."""
        if not isinstance(answer, InstrumentsFetched):
            self._gateway.log("InstrumentsUnknown", level="warning", reason=reason_of(answer))
            if request.is_anew:
                self._ask_anew_in(UNTRADED_S)
            else:
                self._gateway.after(self._poll_interval_s, InstrumentsWanted())
            return
        if self._listing.hear(answer.instruments):
            self._listing.want(names.STRATEGY)
            self._gateway.tell(names.DIAGNOSTICIAN, LOOK_AT_MARKET)
        self._tell()
        if (due_s := self._listing.due_s) is not None:
            self._ask_anew_in(due_s)

    def changes(self, book: Book | None) -> Iterator[ChangeInstrument]:
        """Yield what has each position go by what is listed, whoever told of it before."""
        for instrument in self._listing.instruments:
            position = None if book is None else book.position_of(instrument.symbol)
            if position is not None and position.instrument != instrument:
                yield ChangeInstrument(position_id=position.position_id, instrument=instrument)

    def _ask_anew_in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._gateway.after(seconds, InstrumentsWanted(is_anew=True))

    def _tell(self) -> None:
        for name in self._listing.take_readers():
            told = InstrumentsKnown(instruments=self._listing.instruments)
            self._gateway.tell(name, told)
