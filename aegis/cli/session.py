"""What a command is given, and how its work becomes an exit code.

Invariant: importing this module loads typer and nothing else that takes time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from aegis.cli.calling import as_called, call, note_call
from aegis.cli.codes import Code, expected_errors, trouble_of
from aegis.cli.dates import RANGE, seconds_of
from aegis.cli.loading import settle
from aegis.cli.output import complain
from aegis.cli.settings import config_path, is_live_meant, load_config
from aegis.domain.ids import NANOS_PER_SECOND, Instant

if TYPE_CHECKING:
    from aegis.cli.asking import Act
    from aegis.cli.running import Start
    from aegis.config.file import Override
    from aegis.config.model import Config
    from aegis.strategy_loader import Shield

ConfigPath = Annotated[
    Path | None,
    typer.Option("--config", metavar="PATH", help="The settings' file.", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", metavar="", help="Write JSON, with exact figures.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only tell what would be done.")]
Live = Annotated[
    bool, typer.Option("--live", metavar="", help="Consent to live trading, where mode is live.")
]
Version = Annotated[bool, typer.Option("--version", metavar="", help="Show the version and exit.")]
All = Annotated[bool, typer.Option("--all", metavar="", help="Also those that are closed.")]
Watch = Annotated[
    bool, typer.Option("--watch", metavar="", help="Show it again each 2 s, until Ctrl-C.")
]
Limit = Annotated[
    int | None, typer.Option("--limit", min=1, metavar="N", help="The last N events.")
]
PositionIdentity = Annotated[
    str | None, typer.Argument(metavar="ID", help="A position.", show_default=False)
]


HtmlFile = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", help="The page to write.", show_default=False),
]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="DATE", help="Only from this UTC date on.", show_default=False),
]


class Session:
    """What run.py hands in, and what was given before the command's name."""

    def __init__(
        self,
        beside: Path,
        engine: Callable[[], Start],
        office: Callable[[], Act],
        shield: Shield,
    ) -> None:
        self.beside = beside
        self.engine = engine
        self.office = office
        self.shield = shield
        self.config: Path | None = None
        self.is_json = False
        self.is_live_meant = False
        self.code_of_interrupt = Code.DONE  # a run that has not begun leaves nothing undone


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What a command was given, before and after its name; `named` is the file, if one was."""

    path: Path
    named: Path | None
    engine: Callable[[], Start]
    office: Callable[[], Act]
    shield: Shield
    is_json: bool
    is_live_meant: bool


def session_of(context: typer.Context) -> Session:
    """Return what run.py handed in."""
    session = context.obj
    assert isinstance(session, Session), f"Expected a session, was {session!r}"
    return session


def given_of(
    context: typer.Context,
    named: Path | None,
    *,
    is_json: bool,
    is_live: bool = False,
    is_run: bool = False,
) -> Given:
    """Return what a command was given; what stands after its name wins."""
    session = session_of(context)
    if not is_run:
        session.code_of_interrupt = Code.INTERRUPTED
    named = named or session.config
    return Given(
        path=config_path(named, session.beside),
        named=named,
        engine=session.engine,
        office=session.office,
        shield=session.shield,
        is_json=is_json or session.is_json,
        is_live_meant=is_live_meant(os.environ, is_told=is_live or session.is_live_meant),
    )


def since_of(text: str | None, option: str = "--since") -> Instant:
    """Return the beginning of a UTC date, or an instant of it; the first of all without any."""
    if text is None:
        return Instant(0)
    try:
        return Instant(seconds_of(text) * NANOS_PER_SECOND)
    except ValueError as error:
        raise typer.BadParameter(
            f"expected a UTC date {RANGE}, as 2025-01-31 or 2025-01-31T10:00, was {text!r}",
            param_hint=option,
        ) from error


def interval_of(begin: str | None, end: str | None) -> tuple[Instant, Instant | None]:
    """Return what lies from one date on and before another; refuses what can have nothing in it."""
    since, until = since_of(begin, "--from"), None if end is None else since_of(end, "--to")
    if until is not None and begin is not None and until <= since:
        raise typer.BadParameter(
            f"expected a date after --from {begin}, was {end!r}", param_hint="--to"
        )
    return since, until


def carry_out(
    given: Given,
    work: Callable[[Config], int],
    *,
    is_trading: bool = False,
    overrides: Callable[[], Sequence[Override]] = tuple,
    on_trouble: Callable[[tuple[str, ...]], None] = lambda _lines: None,
) -> None:
    """Load the settings and do the work; then exit with its code, or with that of the trouble.

    `overrides` are the settings of the command line; `on_trouble` hears what goes to stderr.
    """
    store: Path | None = None
    with call():
        try:
            config = load_config(
                given.path,
                os.environ,
                is_trading=is_trading,
                shield=given.shield,
                overrides=overrides(),
            )
            note_call(given.named, config, os.environ)
            settle()
            store = config.store.path
            code = work(config)
        except expected_errors() as error:
            trouble = trouble_of(error, store)
            on_trouble(trouble.lines)
            complain(*map(as_called, trouble.lines))
            raise typer.Exit(trouble.code) from error
        except KeyboardInterrupt as interrupt:  # `main` knows the code
            raise typer.Exit(Code.INTERRUPTED) from interrupt
    raise typer.Exit(code)  # here, where no exchange's errors are loaded to be compared with it
