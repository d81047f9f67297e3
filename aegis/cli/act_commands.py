"""The commands that act: through the AEGIS that runs, or on the store where none does."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from aegis.cli.session import (
    AsJson,
    ConfigPath,
    DryRun,
    Given,
    Live,
    carry_out,
    given_of,
)
from aegis.domain.money import written_figure

if TYPE_CHECKING:
    from aegis.config.model import Config
    from aegis.control import Ask

Unresolved = Annotated[
    str,
    typer.Argument(metavar="ID", help="A position or an order, as `status` names it, or a symbol."),
]
Transferred = Annotated[
    bool, typer.Option("--transferred", help="Its coins went elsewhere, unsold.")
]
ClosedAt = Annotated[
    str | None,
    typer.Option("--closed-at", metavar="PRICE", help="They were sold.", show_default=False),
]


NeverPlaced = Annotated[
    bool, typer.Option("--never-placed", help="The order that needs you is not at the exchange.")
]


def reconcile(
    context: typer.Context,
    *,
    dry_run: DryRun = False,
    live: Live = False,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """Compare the books with the exchange's now, and heal what differs."""
    _do(given_of(context, config, is_json=json, is_live=live), "reconcile", is_dry_run=dry_run)


def diagnose(
    context: typer.Context,
    *,
    dry_run: DryRun = False,
    live: Live = False,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """Examine AEGIS itself now, and mend what has a remedy."""
    _do(given_of(context, config, is_json=json, is_live=live), "diagnose", is_dry_run=dry_run)


def halt(context: typer.Context, *, config: ConfigPath = None, json: AsJson = False) -> None:
    """Take no more entries; stops and exits go on."""
    _do(given_of(context, config, is_json=json), "halt")


def resume(context: typer.Context, *, config: ConfigPath = None, json: AsJson = False) -> None:
    """Take entries again."""
    _do(given_of(context, config, is_json=json), "resume")


def flatten(
    context: typer.Context,
    *,
    dry_run: DryRun = False,
    live: Live = False,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """Leave every position of AEGIS now, and take no more entries."""
    given = given_of(context, config, is_json=json, is_live=live)
    if not dry_run:
        _do(given, "flatten")
        return

    def work(found: Config) -> int:
        from aegis.cli.exposure import show_exposure

        return show_exposure(found, is_json=given.is_json)

    carry_out(given, work)


def resolve(
    context: typer.Context,
    position: Unresolved,
    *,
    transferred: Transferred = False,
    closed_at: ClosedAt = None,
    never_placed: NeverPlaced = False,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """Say what became of coins that the exchange no longer has, or of an order that needs you."""
    if (transferred, never_placed, closed_at is not None).count(True) != 1:
        raise typer.BadParameter(
            "expected exactly one of --transferred, --closed-at PRICE and --never-placed"
        )
    price = None if closed_at is None else _price(closed_at)
    word = OrderWord(position) if never_placed else PositionWord(position, price)
    _do(given_of(context, config, is_json=json), "resolve", word=word)


class PositionWord(NamedTuple):
    """Its coins were sold at a price; None: they went elsewhere, unsold."""

    name: str
    price: Decimal | None


class OrderWord(NamedTuple):
    """It was never placed."""

    name: str


def _price(written: str) -> Decimal:
    price = written_figure(written)
    if price is None or price <= 0:
        raise typer.BadParameter(f"--closed-at: expected a positive price, was {written!r}")
    return price


def _do(
    given: Given,
    command: str,
    *,
    is_dry_run: bool = False,
    word: PositionWord | OrderWord | None = None,
) -> None:
    def work(found: Config) -> int:
        from aegis.cli.asking import Place, ask_or_act

        place = Place(
            config=found,
            path=given.path,
            office=given.office,
            is_live_meant=given.is_live_meant,
        )
        wanted = _asked(command, is_dry_run=is_dry_run, word=word)
        return ask_or_act(place, wanted, is_json=given.is_json)

    carry_out(given, work)


def _asked(command: str, *, is_dry_run: bool, word: PositionWord | OrderWord | None) -> Ask:
    from aegis.control import Ask
    from aegis.domain.commands import ResolveOrder, ResolvePosition
    from aegis.domain.ids import ClientOrderId

    match word:
        case PositionWord():
            resolve = ResolvePosition(name=word.name, price=word.price)
            return Ask(command=command, is_dry_run=is_dry_run, resolve=resolve)
        case OrderWord():
            resolve_order = ResolveOrder(client_order_id=ClientOrderId(word.name))
            return Ask(command=command, is_dry_run=is_dry_run, resolve_order=resolve_order)
        case None:
            return Ask(command=command, is_dry_run=is_dry_run)
