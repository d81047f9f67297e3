"""Looks at a store: each command reads, shows, and returns the exit code. Nothing is changed."""

from __future__ import annotations

from pathlib import Path

from aegis.cli.codes import Code
from aegis.cli.holdings import positions_table, with_figures
from aegis.cli.output import complain, shown_progress, tell, tell_json
from aegis.cli.wording import counted, no_store_at, shown
from aegis.config.model import Config
from aegis.store.errors import NoStore
from aegis.store.reading import read_alive, read_positions
from aegis.store.verify import verify


def show_positions(config: Config, *, is_all: bool, is_json: bool) -> Code:
    """Show what is held, or every position that ever was."""
    path = config.store.path
    try:
        views = read_positions(path) if is_all else read_alive(path)
    except NoStore:
        return no_store(path, [], is_json=is_json)
    if is_json:
        tell_json([with_figures(view) for view in views])
    elif views:
        tell(positions_table(views, config.exchange.quote, is_closing_told=is_all))
    else:
        tell("No positions yet" if is_all else "No positions open")
    return Code.DONE


def show_verification(config: Config, *, is_json: bool) -> Code:
    """Prove the store, and show what was found."""
    path = config.store.path
    try:
        with shown_progress("Verifying") as progress:
            found = verify(path, progress=progress)
    except NoStore:
        nothing = {"check": "store", "text": f"no store at {path}"}
        empty = {"ok": False, "events": 0, "head_hash": "", "problems": [nothing]}
        no_store(path, empty, is_json=is_json)
        return Code.NO  # nothing is proved
    if is_json:
        tell_json(found)
    elif found.ok:
        counts = (
            counted(found.events, "event"),
            counted(found.positions, "position"),
            counted(found.orders, "order"),
            counted(found.fills, "fill"),
        )
        tell(f"ok: {', '.join(counts)}; head {found.head_hash}")
    else:
        for problem in found.problems:
            tell(f"{problem.check}: {problem.text}")
        what = counted(len(found.problems), "problem")
        tell(f"not ok: {what} in {shown(path)}; proved up to event {found.events}")
    return Code.DONE if found.ok else Code.CORRUPT


def no_store(path: Path, empty: object, *, is_json: bool) -> Code:
    """Say that there is nothing yet; whoever reads JSON gets nothing in its usual shape."""
    line = no_store_at(path)
    if is_json:
        tell_json(empty)
        complain(line)
    else:
        tell(line)
    return Code.DONE
