"""The commands about backups: make one, list them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from aegis.cli.session import AsJson, ConfigPath, carry_out, given_of

if TYPE_CHECKING:
    from aegis.config.model import Config

Proved = Annotated[
    bool, typer.Option("--verify", help="Prove each of them anew, to the byte and the event.")
]


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
