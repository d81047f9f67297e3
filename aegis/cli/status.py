"""`status`: one look at AEGIS, or one after another. Nothing is changed, nobody is held up."""

from __future__ import annotations

from collections.abc import Callable

from aegis.archive.shelf import Backup, backups_in
from aegis.cli.asking import vitals_of
from aegis.cli.calling import as_called
from aegis.cli.codes import Code
from aegis.cli.glance import ORDER_COLUMNS, Glance, json_of, order_cells, rows_of
from aegis.cli.holdings import nearest_to_stop, positions_table
from aegis.cli.output import complain, pairs, screen, table, tell, tell_json
from aegis.cli.wording import no_store_at, shown
from aegis.config.model import Config
from aegis.domain.ids import EventId
from aegis.store.errors import NoStore
from aegis.store.reading import is_past, read_status

LOOK_EVERY_S = 2.0

SHOWN_MAX = 20
"""Positions, and orders, that fit into a look of a person's; JSON has all of them."""


def show_status(config: Config, *, is_json: bool) -> Code:
    """Show how things are."""
    glance = look(config)
    if is_json:
        tell_json(_json(config, glance))
        if glance is None:
            complain(no_store_at(config.store.path))
    else:
        tell(_text(config, glance))
    return Code.DONE


def watch_status(config: Config, *, is_json: bool, wait: Callable[[float], object]) -> Code:
    """Show how things are until `wait` raises `KeyboardInterrupt`, or nobody reads any more."""
    if is_json:
        while tell_json(_json(config, look(config))):
            wait(LOOK_EVERY_S)
        return Code.DONE
    with screen() as show:
        while show(_text(config, look(config))):
            wait(LOOK_EVERY_S)
    return Code.DONE


def look(config: Config) -> Glance | None:
    """Return the store and the process as they are now; None where there is no store yet."""
    try:
        status = read_status(config.store.path)
    except NoStore:
        return None
    return Glance(
        status=status,
        vitals=None if status.writer_pid is None else vitals_of(config.store.path),
        config=config,
        shown_path=shown(config.store.path),
        backup=_backup_of(config),
    )


def _backup_of(config: Config) -> Backup | None:
    """Return the newest backup of what the store is; one from before a restore says nothing."""
    store = config.store.path
    for backup in backups_in(config.backup.path, store.name):
        manifest = backup.manifest
        if not backup.fault and is_past(store, EventId(manifest.events), manifest.head_hash):
            return backup
    return None


def _json(config: Config, glance: Glance | None) -> object:
    if glance is None:
        return {"is_there": False, "store": str(config.store.path)}
    return json_of(glance)


def _text(config: Config, glance: Glance | None) -> str:
    if glance is None:
        return no_store_at(config.store.path)
    status = glance.status
    blocks = [pairs(rows_of(glance))]
    if status.positions:
        near = nearest_to_stop(status.positions, SHOWN_MAX)
        blocks.append(positions_table(near, glance.quote))
    if len(status.positions) > SHOWN_MAX:
        left = f"{len(status.positions) - SHOWN_MAX:,} more"
        blocks.append(
            f"The {SHOWN_MAX} nearest to their stop; {left}: {as_called('run.py positions')}"
        )
    if status.orders:
        rows = [order_cells(view) for view in status.orders[:SHOWN_MAX]]
        blocks.append(table(ORDER_COLUMNS, rows, right=("Amount", "Filled")))
    if len(status.orders) > SHOWN_MAX:
        blocks.append(
            f"{len(status.orders) - SHOWN_MAX:,} orders more: {as_called('run.py status --json')}"
        )
    return "\n\n".join(blocks)
