"""The command that trades."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from aegis.cli.codes import Code
from aegis.cli.loading import loading
from aegis.cli.output import complain
from aegis.cli.session import (
    AsJson,
    ConfigPath,
    Live,
    carry_out,
    given_of,
)

if TYPE_CHECKING:
    from aegis.config.model import Config


def run(
    context: typer.Context,
    *,
    live: Live = False,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """Trade as configured, until Ctrl-C or to the end of the data."""
    given = given_of(context, config, is_json=json, is_live=live, is_run=True)

    def work(found: Config) -> int:
        with loading():
            from aegis.cli.running import run_and_tell
            from aegis.config.consents import missing_consents

        refusal = missing_consents(found, is_live_meant=given.is_live_meant)
        if refusal is not None:
            complain(refusal)
            return Code.CONFIG
        return run_and_tell(found, given.path, given.engine, is_json=given.is_json)

    carry_out(given, work, is_trading=True)
