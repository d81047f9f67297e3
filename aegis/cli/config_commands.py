"""The commands about the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from aegis.cli.codes import Code
from aegis.cli.output import complain, tell_json
from aegis.cli.session import (
    AsJson,
    ConfigPath,
    Live,
    carry_out,
    given_of,
)

if TYPE_CHECKING:
    from aegis.config.model import Config


def check(
    context: typer.Context,
    *,
    live: Live = False,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """Tell every fault in the settings, or what would run."""
    given = given_of(context, config, is_json=json, is_live=live)

    def work(found: Config) -> int:
        from aegis.cli.config_views import show_check
        from aegis.cli.foreseen import refuse_unguarded
        from aegis.config.consents import missing_consents

        missing = missing_consents(found, is_live_meant=given.is_live_meant)
        if missing is not None and given.is_live_meant:  # the word of a start: it would end so
            tell_faults((missing,))
            complain(missing)
            return Code.CONFIG
        refuse_unguarded(found)
        return show_check(found, given.path, missing, is_json=given.is_json)

    def tell_faults(lines: tuple[str, ...]) -> None:
        if given.is_json:
            tell_json({"ok": False, "path": str(given.path), "faults": lines})

    carry_out(given, work, is_trading=True, on_trouble=tell_faults)


def show(context: typer.Context, *, config: ConfigPath = None, json: AsJson = False) -> None:
    """Show every setting as it applies, secrets hidden."""
    given = given_of(context, config, is_json=json)

    def work(found: Config) -> int:
        from aegis.cli.config_views import show_settings

        return show_settings(found, is_json=given.is_json)

    carry_out(given, work)
