"""`history`: the log read back, a line a fact, from where to where a person likes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing

import msgspec

from aegis.cli.codes import Code
from aegis.cli.output import complain, plain, table, tell
from aegis.cli.views import no_store
from aegis.cli.wording import amount, moment, price
from aegis.config.model import Config
from aegis.domain.events import EVENT_TYPES
from aegis.domain.ids import SYSTEM_POSITION
from aegis.domain.story import sentence_of
from aegis.store.errors import NoStore
from aegis.store.reading import View, read_fills
from aegis.store.records import StoredEvent, recorded_of
from aegis.store.story import Page, Stretch, event_view, read_stretch

EVENTS_SHOWN = 100
"""The latest events, where nothing says which are meant."""

NAME_WIDTH = max(map(len, EVENT_TYPES))


def show_history(config: Config, stretch: Stretch, *, is_json: bool) -> Code:
    """Show a stretch of the log, and the fills of the position that it is about."""
    path, position = config.store.path, stretch.position
    is_open = stretch.begin is None and stretch.end is None and position is None
    if is_open and stretch.most is None:
        stretch = msgspec.structs.replace(stretch, most=EVENTS_SHOWN)
    try:
        with closing(read_stretch(path, stretch)) as pages:
            told = _tell_json(pages) if is_json else _tell_story(pages)
    except NoStore:
        return no_store(path, [], is_json=is_json)
    if position is not None and not told:
        complain(f"Expected the id of a position, as `positions --all` shows it: {position}")
        return Code.NO
    if not told:
        tell("[]" if is_json else _nothing(stretch))
    elif not is_json and position is not None:
        fills = read_fills(path, position)
        if fills:
            tell("\n" + _fills_table(fills))
    return Code.DONE


def _tell_story(pages: Iterable[Page]) -> int:
    """Write a line for each event, a page at a time; return how many, until nobody reads."""
    told = 0
    for page in pages:
        told += len(page)
        if page and not tell("\n".join(map(_line, page))):
            break
    return told


def _tell_json(pages: Iterable[Page]) -> int:
    """Write the events as one array, a page at a time; return how many, until nobody reads."""
    told = 0
    for page in pages:
        lines = [msgspec.json.encode(event_view(stored)).decode() for stored in page]
        before = "," if told else "["
        told += len(lines)
        if lines and not tell(before + ",\n".join(lines)):
            return told
    if told:
        tell("]")
    return told


def _line(stored: StoredEvent) -> str:
    """Return an event as people read it: its number, when, of what, its name, and the sentence."""
    whose = "account" if stored.position_id == SYSTEM_POSITION else stored.position_id
    sentence = sentence_of(recorded_of(stored).event)
    place = f"{stored.event_id:>7}  {moment(stored.timestamp)}  {whose:<24}"
    return plain(f"{place}  {stored.event_type:<{NAME_WIDTH}}  {sentence}")


def _nothing(stretch: Stretch) -> str:
    is_all = stretch.begin is None and stretch.end is None
    return "No events yet" if is_all else "No events there"


def _fills_table(fills: Sequence[View]) -> str:
    rows = [
        (
            moment(view["filled_at"]),
            f"{view['role']} {view['side']}",
            amount(view["amount"]),
            price(view["price"]),
            f"{view['fee']} {view['fee_currency']}",
            str(view["trade_id"]),
        )
        for view in fills
    ]
    return table(
        ("Filled", "Order", "Amount", "Price", "Fee", "Trade"), rows, right=("Amount", "Price")
    )
