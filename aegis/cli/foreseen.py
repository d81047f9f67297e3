"""What a start would find, as far as the disk can tell: nothing is asked of an exchange.

The store says what is held, and the list beside it what the exchange traded when it was last asked.
"""

from __future__ import annotations

from collections.abc import Iterator

from aegis.cli.wording import moment
from aegis.config.model import Config
from aegis.domain.instants import text_of
from aegis.domain.instrument import Instrument
from aegis.domain.money import text


def refuse_unguarded(config: Config) -> None:
    """Raise what a start raises where something is held in a symbol that is configured no more.

    A store that cannot be read, or was made for another mode, is the start's to judge.
    """
    if not config.store.path.exists():
        return
    from aegis.store.errors import StoreError, StoreUnguarded
    from aegis.store.reading import read_status

    try:
        status = read_status(config.store.path)
    except StoreError:
        return
    if status.identity.identity.mode != config.mode:
        return
    for held, key, what in (
        (status.positions, "position_id", "is held (position {})"),
        (status.orders, "client_order_id", "has an active order ({})"),
    ):
        for view in held:
            if view["symbol"] not in config.exchange.symbols:
                raise StoreUnguarded(str(view["symbol"]), what.format(view[key]))


def remarks_on(config: Config) -> Iterator[str]:
    """Yield what speaks against a symbol by the list that was kept; nothing without any."""
    if config.market.source != "exchange":
        return
    from aegis.exchange.live.client.markets import markets_beside, read_kept

    kept = read_kept(markets_beside(config.store.path), config.exchange.name)
    if kept is None or isinstance(kept, str):
        return
    when = f"as {config.exchange.name} listed it at {moment(text_of(kept.fetched_at))}"
    known = {each.symbol: each for each in kept.instruments}
    for symbol in config.exchange.symbols:
        if symbol in known:
            yield from (f"{each} ({when})" for each in _bars(config, known[symbol]))
        elif kept.names and symbol not in kept.names:
            yield f"{symbol}: the exchange does not trade it ({when})"


def _bars(config: Config, instrument: Instrument) -> Iterator[str]:
    """Yield why no entry of an instrument would pass."""
    symbol, canary = instrument.symbol, config.live.canary_notional
    if not instrument.is_active:
        yield f"{symbol}: halted, no entry passes"
    if config.mode == "live" and 0 < canary < instrument.notional_min:
        least = f"{text(instrument.notional_min)} {instrument.quote}"
        yield f"{symbol}: live.canary_notional = {text(canary)} is below the least order of {least}"
