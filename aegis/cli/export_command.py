"""The command that takes trades, fills or events out of a store, for another program."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from aegis.cli.session import AsJson, ConfigPath, carry_out, given_of, interval_of

if TYPE_CHECKING:
    from aegis.config.model import Config

What = Annotated[
    Literal["trades", "fills", "events"],
    typer.Option("--what", help="Closed trades, single fills, or the event log."),
]
Form = Annotated[Literal["csv", "jsonl"], typer.Option("--format", help="How rows are written.")]
From = Annotated[
    str | None,
    typer.Option("--from", metavar="DATE", help="From this UTC date on.", show_default=False),
]
To = Annotated[
    str | None,
    typer.Option("--to", metavar="DATE", help="Before this UTC date.", show_default=False),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="Write there, not to stdout.", show_default=False),
]


def export(
    context: typer.Context,
    *,
    what: What = "trades",
    form: Form = "csv",
    from_: From = None,
    to: To = None,
    out: Out = None,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """Write trades, fills or events for another program, and close the account's books."""
    given = given_of(context, config, is_json=json)
    begin, end = interval_of(from_, to)

    def work(found: Config) -> int:
        from aegis.cli import exporting

        wanted = exporting.Wanted(
            what=exporting.What(what),
            form=exporting.Form(form),
            begin=begin,
            end=end,
            file=out,
            settings=given.path,
        )
        return exporting.export_store(found, wanted, is_json=given.is_json)

    carry_out(given, work)
