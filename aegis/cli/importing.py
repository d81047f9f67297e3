"""`import`: what is in the file, what would come in, and then the doing of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from aegis.cli.asking import Act
from aegis.cli.codes import Code
from aegis.cli.output import complain, plain, table, tell, tell_json
from aegis.cli.position_file import read_position_file
from aegis.cli.running import log_of
from aegis.cli.settings import folder_of
from aegis.cli.wording import NOTHING, moment, money, price, shown
from aegis.config.model import Config
from aegis.config.policy import stop_policy_of
from aegis.control import Answer, Ask
from aegis.domain.ids import Coin
from aegis.domain.incoming import Incoming
from aegis.domain.instants import text_of
from aegis.domain.money import text, times
from aegis.domain.old_books import Here, understand
from aegis.store.lock import holder_of

NOT_LIVE = (
    'mode = "live": import takes coins over on paper alone; sell what is held, or hold it apart '
    "from what AEGIS trades"
)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What the command was given."""

    file: Path
    is_dry_run: bool
    is_json: bool


def import_and_tell(config: Config, path: Path, office: Callable[[], Act], wanted: Wanted) -> Code:
    """Show what a file has, and take it over; 78 for a file with faults, 75 where AEGIS runs."""
    if config.mode == "live":
        complain(NOT_LIVE)
        return Code.CONFIG
    records, remarks = read_position_file(wanted.file)
    here = Here(symbols=config.exchange.symbols, policy=stop_policy_of(config))
    understood = understand(records, here)
    name = plain(wanted.file.name)
    complain(*(f"{name}: {each}" for each in (*remarks, *understood.remarks)))
    if understood.faults:
        complain(*(f"{name}: {each}" for each in understood.faults))
        return Code.CONFIG
    incoming = tuple(_from_file(name, each) for each in understood.positions)
    if not wanted.is_json and incoming:
        tell(_shown(incoming, config.exchange.quote))
    if not incoming:
        complain(f"{name}: nothing in it is open")
        return Code.NO
    holder = holder_of(config.store.path)
    if holder is not None:
        complain(_busy(shown(config.store.path), holder))
        return Code.BUSY
    return _done(config, path, office, wanted, incoming)


def _done(
    config: Config,
    path: Path,
    office: Callable[[], Act],
    wanted: Wanted,
    incoming: tuple[Incoming, ...],
) -> Code:
    ask = Ask(command="import", is_dry_run=wanted.is_dry_run, incoming=incoming)
    log = log_of(config, console_level="error")
    try:
        answer = office()(config, folder=folder_of(path), log=log, ask=ask)
    finally:
        log.close()
    if wanted.is_json:
        tell_json(_json(answer, incoming, wanted))
    elif answer.is_done:
        tell(answer.text)
    else:
        complain(*answer.text.splitlines())
    return Code.DONE if answer.is_done else Code.NO


def _from_file(name: str, incoming: Incoming) -> Incoming:
    return msgspec.structs.replace(incoming, place=f"{name}: {incoming.place}")


def _busy(store: str, pid: int) -> str:
    who = f"AEGIS (pid {pid})" if pid else "AEGIS"
    return f"{who} uses {store}; an import wants it stopped: stop it, import, start it again"


COLUMNS = ("Symbol", "Amount", "Entry", "Cost", "Stop", "Target", "Opened")


def _shown(incoming: Sequence[Incoming], quote: Coin) -> str:
    """Return the positions as a table."""
    return table(COLUMNS, [_row(each, quote) for each in incoming], right=COLUMNS[1:6])


def _row(incoming: Incoming, quote: Coin) -> tuple[str, ...]:
    return (
        incoming.symbol,
        text(incoming.amount),
        price(incoming.entry_price),
        money(times(incoming.amount, incoming.entry_price), quote),
        price(incoming.stop),
        price(incoming.target),
        NOTHING if incoming.opened_at is None else moment(incoming.opened_at),
    )


def _json(answer: Answer, incoming: Sequence[Incoming], wanted: Wanted) -> dict[str, object]:
    return {
        "is_done": answer.is_done,
        "is_dry_run": wanted.is_dry_run,
        "text": answer.text,
        "positions": [
            {
                "symbol": each.symbol,
                "amount": text(each.amount),
                "entry_price": text(each.entry_price),
                "stop_price": None if each.stop is None else text(each.stop),
                "take_profit_price": None if each.target is None else text(each.target),
                "trailing_stop_pct": text(each.policy.trailing_stop_pct),
                "opened_at": None if each.opened_at is None else text_of(each.opened_at),
                "place": each.place,
            }
            for each in incoming
        ],
    }
