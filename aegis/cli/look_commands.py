"""The commands that look: at the store, or at what a running AEGIS says of itself."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING

import typer

from aegis.cli.codes import Code
from aegis.cli.points import FromPoint, PointGiven, ToPoint, point_of
from aegis.cli.session import (
    All,
    AsJson,
    ConfigPath,
    HtmlFile,
    Limit,
    PositionIdentity,
    Since,
    Watch,
    carry_out,
    given_of,
    session_of,
    since_of,
)
from aegis.domain.ids import PositionId

if TYPE_CHECKING:
    from aegis.config.model import Config


def status(
    context: typer.Context,
    *,
    watch: Watch = False,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """Show how AEGIS is: its process, its positions, its limits, and what is to be settled."""
    given = given_of(context, config, is_json=json)
    if watch:
        session_of(context).code_of_interrupt = Code.DONE  # it is how a watch ends

    def work(found: Config) -> int:
        from aegis.cli.status import show_status, watch_status

        if watch:
            return watch_status(found, is_json=given.is_json, wait=Event().wait)
        return show_status(found, is_json=given.is_json)

    carry_out(given, work)


def positions(
    context: typer.Context,
    *,
    all_: All = False,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """Show the open positions."""
    given = given_of(context, config, is_json=json)

    def work(found: Config) -> int:
        from aegis.cli.views import show_positions

        return show_positions(found, is_all=all_, is_json=given.is_json)

    carry_out(given, work)


def history(
    context: typer.Context,
    position: PositionIdentity = None,
    *,
    from_: FromPoint = None,
    to: ToPoint = None,
    limit: Limit = None,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """Tell what happened, a line a fact: lately, from one point to another, or to a position."""
    given = given_of(context, config, is_json=json)
    begin = None if from_ is None else point_of(from_, "--from")
    end = None if to is None else point_of(to, "--to")

    def work(found: Config) -> int:
        from aegis.cli.history import show_history
        from aegis.store.story import Stretch

        stretch = Stretch(
            position=None if position is None else PositionId(position),
            begin=begin,
            end=end,
            most=limit,
        )
        return show_history(found, stretch, is_json=given.is_json)

    carry_out(given, work)


def at(
    context: typer.Context,
    point: PointGiven,
    *,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """Show positions, orders and balances as they were after an event, or at a UTC time."""
    given = given_of(context, config, is_json=json)
    meant = point_of(point, "TIME|EVENT")

    def work(found: Config) -> int:
        from aegis.cli.past import show_past

        return show_past(found, meant, is_json=given.is_json)

    carry_out(given, work)


def statistics(
    context: typer.Context,
    *,
    since: Since = None,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """Show what the trades and the equity have come to."""
    given = given_of(context, config, is_json=json)
    begin = since_of(since)

    def work(found: Config) -> int:
        from aegis.cli.statistics import show_statistics

        return show_statistics(found, begin, is_json=given.is_json)

    carry_out(given, work)


def report(
    context: typer.Context,
    *,
    html: HtmlFile = None,
    since: Since = None,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """Write a page with the figures, the curves and every trade."""
    given = given_of(context, config, is_json=json)
    begin = since_of(since)

    def work(found: Config) -> int:
        from aegis.cli.report import write_report

        return write_report(found, given.path, html, begin, is_json=given.is_json)

    carry_out(given, work)


def verify(context: typer.Context, *, config: ConfigPath = None, json: AsJson = False) -> None:
    """Prove that the store is whole: pages, chain, mark, keys, and rows = events."""
    given = given_of(context, config, is_json=json)

    def work(found: Config) -> int:
        from aegis.cli.views import show_verification

        return show_verification(found, is_json=given.is_json)

    carry_out(given, work)


def health(context: typer.Context, *, config: ConfigPath = None, json: AsJson = False) -> None:
    """Say whether the running AEGIS is well; exit code 1 when it is not."""
    given = given_of(context, config, is_json=json)

    def work(found: Config) -> int:
        from aegis.cli.vitals import show_health

        return show_health(found, is_json=given.is_json)

    carry_out(given, work)
