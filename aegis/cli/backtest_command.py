"""The command that tries a strategy on candles of the past."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aegis.cli.session import (
    AsJson,
    ConfigPath,
    carry_out,
    given_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aegis.config.file import Override
    from aegis.config.model import Config

Data = Annotated[
    list[str],
    typer.Option("--data", metavar="[SYMBOL=]FILE", help="A symbol's candles; again for the next."),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A setting for this run alone; repeatable."),
]
Keep = Annotated[
    Path | None,
    typer.Option("--keep", metavar="STORE", help="Keep the store there.", show_default=False),
]


def backtest(
    context: typer.Context,
    *,
    data: Data,
    settings: Settings = None,
    keep: Keep = None,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """Try the strategy on candles of your own, as fast as it goes; nothing is left behind."""
    from aegis.cli.backtesting import expect_nothing_at, try_out
    from aegis.cli.thrown_away import thrown_away

    given = given_of(context, config, is_json=json)
    with thrown_away("backtest") as folder:

        def overrides() -> Sequence[Override]:
            from aegis.cli.backtest_options import overrides_of

            if keep is not None:
                expect_nothing_at(keep)
            store = folder / "backtest.db" if keep is None else Path.cwd() / keep
            return overrides_of(data, settings or (), store=store, log=folder / "backtest.log")

        def work(found: Config) -> int:
            return try_out(found, given, folder, is_kept=keep is not None)

        carry_out(given, work, is_trading=True, overrides=overrides)
