"""The commands that act, through the AEGIS that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from aegis.cli.session import (
    AsJson,
    ConfigPath,
    DryRun,
    Given,
    carry_out,
    given_of,
)

if TYPE_CHECKING:
    from aegis.config.model import Config


def reconcile(
    context: typer.Context,
    *,
    dry_run: DryRun = False,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """Compare the books with the exchange's now, and heal what differs."""
    _ask(given_of(context, config, is_json=json), "reconcile", is_dry_run=dry_run)


def diagnose(
    context: typer.Context,
    *,
    dry_run: DryRun = False,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """Examine AEGIS itself now, and mend what has a remedy."""
    _ask(given_of(context, config, is_json=json), "diagnose", is_dry_run=dry_run)


def halt(context: typer.Context, *, config: ConfigPath = None, json: AsJson = False) -> None:
    """Take no more entries; stops and exits go on."""
    _ask(given_of(context, config, is_json=json), "halt")


def resume(context: typer.Context, *, config: ConfigPath = None, json: AsJson = False) -> None:
    """Take entries again."""
    _ask(given_of(context, config, is_json=json), "resume")


def flatten(context: typer.Context, *, config: ConfigPath = None, json: AsJson = False) -> None:
    """Leave every position of AEGIS now, and take no more entries."""
    _ask(given_of(context, config, is_json=json), "flatten")


def _ask(given: Given, command: str, *, is_dry_run: bool = False) -> None:
    def work(found: Config) -> int:
        from aegis.cli.asking import ask_running

        return ask_running(found, command, is_dry_run=is_dry_run, is_json=given.is_json)

    carry_out(given, work)
