"""The command that lives through a recording again, with other settings or with the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from aegis.cli.session import AsJson, ConfigPath, carry_out, given_of, interval_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aegis.config.file import Override
    from aegis.config.model import Config

Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A setting to try; repeatable."),
]
From = Annotated[
    str | None,
    typer.Option("--from", metavar="DATE", help="Begin flat at this UTC date.", show_default=False),
]
To = Annotated[
    str | None,
    typer.Option("--to", metavar="DATE", help="End before this UTC date.", show_default=False),
]


def what_if(
    context: typer.Context,
    *,
    settings: Settings = None,
    from_: From = None,
    to: To = None,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """Live through what AEGIS recorded again, with other settings; without any, prove it."""
    given = given_of(context, config, is_json=json)
    since, end = interval_of(from_, to)
    begin = None if from_ is None else since

    def work(found: Config) -> int:
        from aegis.cli.thrown_away import thrown_away
        from aegis.cli.what_if import Asked, tell_what_if

        asked = Asked(settings=tuple(settings or ()), begin=begin, end=end)
        with thrown_away("what-if") as folder:
            return tell_what_if(found, asked, given, folder)

    def overrides() -> Sequence[Override]:
        from aegis.cli.what_if_options import WITHOUT_MARKET

        return WITHOUT_MARKET

    carry_out(given, work, overrides=overrides)
