"""The commands about backups: make one, list them, put one back, and find what it had forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from aegis.cli.session import AsJson, ConfigPath, DryRun, Live, carry_out, given_of

if TYPE_CHECKING:
    from aegis.config.model import Config

Proved = Annotated[
    bool, typer.Option("--verify", help="Prove each of them anew, to the byte and the event.")
]

Which = Annotated[
    str,
    typer.Argument(
        metavar="FILE|latest", help="A backup as `backups` names it, a store's file, or `latest`."
    ),
]

Yes = Annotated[bool, typer.Option("--yes", help="Ask nothing.")]


def backup(context: typer.Context, *, config: ConfigPath = None, json: AsJson = False) -> None:
    """Make a backup of the store and its paper account, and prove it."""
    given = given_of(context, config, is_json=json)

    def work(found: Config) -> int:
        from aegis.cli.backups import make_and_tell

        return make_and_tell(found, is_json=given.is_json)

    carry_out(given, work)


def backups(
    context: typer.Context,
    *,
    verify: Proved = False,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """List the backups, newest first."""
    given = given_of(context, config, is_json=json)

    def work(found: Config) -> int:
        from aegis.cli.backups import show_backups

        return show_backups(found, is_proved_anew=verify, is_json=given.is_json)

    carry_out(given, work)


def restore(
    context: typer.Context,
    which: Which,
    *,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """Put the store back from a backup; AEGIS must not run. What was there is kept aside."""
    given = given_of(context, config, is_json=json)

    def work(found: Config) -> int:
        from aegis.cli.asking import Place
        from aegis.cli.restoring import restore_and_tell

        place = Place(config=found, path=given.path, office=given.office)
        return restore_and_tell(place, which, is_json=given.is_json)

    carry_out(given, work)


def recover(
    context: typer.Context,
    *,
    dry_run: DryRun = False,
    yes: Yes = False,
    live: Live = False,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """After a restore: book our orders that the exchange knows and the store has forgotten."""
    given = given_of(context, config, is_json=json, is_live=live)

    def work(found: Config) -> int:
        from aegis.cli.asking import Place
        from aegis.cli.restoring import recover_and_tell

        place = Place(
            config=found,
            path=given.path,
            office=given.office,
            is_live_meant=given.is_live_meant,
        )
        return recover_and_tell(
            place, is_dry_run=dry_run, is_agreed=yes and not dry_run, is_json=given.is_json
        )

    carry_out(given, work)
