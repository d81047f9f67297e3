"""`flatten --dry-run`: what a flatten would leave now, from the store alone; nothing is changed."""

from __future__ import annotations

from aegis.cli.codes import Code
from aegis.cli.output import complain, tell, tell_json
from aegis.cli.wording import amount, no_store_at, price
from aegis.config.model import Config
from aegis.store.errors import NoStore
from aegis.store.reading import View, read_status


def show_exposure(config: Config, *, is_json: bool) -> Code:
    """Show each position that would be left, and the last price that is known of it."""
    try:
        positions = read_status(config.store.path).positions
    except NoStore:
        line = no_store_at(config.store.path)
        if is_json:
            tell_json([])
            complain(line)
        else:
            tell(line)
        return Code.DONE
    if is_json:
        tell_json(positions)
    else:
        lines = [_line(position) for position in positions]
        tell("\n".join(lines or ["no position is open"]) + "\nnothing changed")
    return Code.DONE


def _line(position: View) -> str:
    held, symbol = amount(position["amount"]), position["symbol"]
    return f"would leave {held} {symbol}, last seen at {price(position['current_price'])}"
