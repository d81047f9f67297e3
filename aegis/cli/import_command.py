"""The command that takes positions of another system over."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aegis.cli.session import AsJson, ConfigPath, DryRun, carry_out, given_of

if TYPE_CHECKING:
    from aegis.config.model import Config

File = Annotated[
    Path, typer.Argument(metavar="FILE", help="JSON as the old system wrote it, or CSV.")
]


def take_positions(
    context: typer.Context,
    file: File,
    *,
    dry_run: DryRun = False,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """Take the positions of another system over, with their coins; AEGIS must not run."""
    given = given_of(context, config, is_json=json)

    def work(found: Config) -> int:
        from aegis.cli.importing import Wanted, import_and_tell

        wanted = Wanted(file=file, is_dry_run=dry_run, is_json=given.is_json)
        return import_and_tell(found, given.path, given.office, wanted)

    carry_out(given, work)
