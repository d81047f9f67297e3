"""The commands and their options; each loads what it needs when it is called.

Invariant: importing this module loads typer and nothing else that takes time.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from aegis import __version__
from aegis.cli.codes import Code, expected_errors, trouble_of
from aegis.cli.output import complain, tell, tell_json
from aegis.cli.settings import config_path, load_config

if TYPE_CHECKING:
    from aegis.cli.running import Start
    from aegis.config.model import Config
    from aegis.strategy_loader import Shield

LOOK = "Look (works beside a running AEGIS)"
ACT = "Act (on the AEGIS that runs)"


class Session:
    """What run.py hands in, and what was given before the command's name."""

    def __init__(self, beside: Path, engine: Callable[[], Start], shield: Shield) -> None:
        self.beside = beside
        self.engine = engine
        self.shield = shield
        self.config: Path | None = None
        self.is_json = False
        self.code_of_interrupt = Code.DONE  # a run that has not begun leaves nothing undone


app = typer.Typer(
    name="aegis",
    help="AEGIS keeps an automated trader's positions true, through crashes and lost answers.",
    epilog="Without a command: run. Settings are in config.toml, or in AEGIS_SECTION__KEY.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
config_app = typer.Typer(help="Check or show the settings.")
app.add_typer(config_app, name="config", rich_help_panel=LOOK)

ConfigPath = Annotated[
    Path | None,
    typer.Option("--config", metavar="PATH", help="The settings' file.", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", metavar="", help="Write JSON, with exact figures.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only tell what would be done.")]
Version = Annotated[bool, typer.Option("--version", help="Show the version and exit.")]
All = Annotated[bool, typer.Option("--all", metavar="", help="Also those that are closed.")]
Limit = Annotated[
    int | None, typer.Option("--limit", min=1, metavar="N", help="The last N events.")
]
PositionIdentity = Annotated[
    str | None, typer.Argument(metavar="ID", help="A position.", show_default=False)
]


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    *,
    config: ConfigPath = None,
    json: AsJson = False,
    version: Version = False,
) -> None:
    """Take what stands before the command; without one, run."""
    if version:
        tell(f"AEGIS {__version__}")
        raise typer.Exit
    session = _session(context)
    session.config, session.is_json = config, json
    if context.invoked_subcommand is None:
        run(context)


@app.command()
def run(context: typer.Context, *, config: ConfigPath = None, json: AsJson = False) -> None:
    """Trade as configured, until Ctrl-C or to the end of the data."""
    given = _given(context, config, is_json=json, is_run=True)

    def work(found: Config) -> int:
        from aegis.cli.running import run_and_tell

        return run_and_tell(found, given.path, given.engine, is_json=given.is_json)

    _carry_out(given, work, is_trading=True)


@app.command(rich_help_panel=LOOK)
def status(context: typer.Context, *, config: ConfigPath = None, json: AsJson = False) -> None:
    """Show the store at a glance."""
    given = _given(context, config, is_json=json)

    def work(found: Config) -> int:
        from aegis.cli.views import show_status

        return show_status(found, is_json=given.is_json)

    _carry_out(given, work)


@app.command(rich_help_panel=LOOK)
def positions(
    context: typer.Context,
    *,
    all_: All = False,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """Show the open positions."""
    given = _given(context, config, is_json=json)

    def work(found: Config) -> int:
        from aegis.cli.views import show_positions

        return show_positions(found, is_all=all_, is_json=given.is_json)

    _carry_out(given, work)


@app.command(rich_help_panel=LOOK)
def history(
    context: typer.Context,
    position: PositionIdentity = None,
    *,
    limit: Limit = None,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """Show the latest events, or all of one position."""
    given = _given(context, config, is_json=json)

    def work(found: Config) -> int:
        from aegis.cli.views import show_history

        return show_history(found, position, limit=limit, is_json=given.is_json)

    _carry_out(given, work)


@app.command(rich_help_panel=LOOK)
def verify(context: typer.Context, *, config: ConfigPath = None, json: AsJson = False) -> None:
    """Prove that the store is whole: pages, chain, mark, keys, and rows = events."""
    given = _given(context, config, is_json=json)

    def work(found: Config) -> int:
        from aegis.cli.views import show_verification

        return show_verification(found, is_json=given.is_json)

    _carry_out(given, work)


@app.command(rich_help_panel=LOOK)
def health(context: typer.Context, *, config: ConfigPath = None, json: AsJson = False) -> None:
    """Say whether the running AEGIS is well; exit code 1 when it is not."""
    given = _given(context, config, is_json=json)

    def work(found: Config) -> int:
        from aegis.cli.vitals import show_health

        return show_health(found, is_json=given.is_json)

    _carry_out(given, work)


@config_app.command("check")
def check(context: typer.Context, *, config: ConfigPath = None, json: AsJson = False) -> None:
    """Tell every fault in the settings, or what would run."""
    given = _given(context, config, is_json=json)

    def work(found: Config) -> int:
        from aegis.cli.config_views import show_check

        return show_check(found, given.path, is_json=given.is_json)

    def tell_faults(lines: tuple[str, ...]) -> None:
        if given.is_json:
            tell_json({"ok": False, "path": str(given.path), "faults": lines})

    _carry_out(given, work, is_trading=True, on_trouble=tell_faults)


@config_app.command("show")
def show(context: typer.Context, *, config: ConfigPath = None, json: AsJson = False) -> None:
    """Show every setting as it applies, secrets hidden."""
    given = _given(context, config, is_json=json)

    def work(found: Config) -> int:
        from aegis.cli.config_views import show_settings

        return show_settings(found, is_json=given.is_json)

    _carry_out(given, work)


@app.command(rich_help_panel=ACT)
def reconcile(
    context: typer.Context,
    *,
    dry_run: DryRun = False,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """Compare the books with the exchange's now, and heal what differs."""
    _ask(_given(context, config, is_json=json), "reconcile", is_dry_run=dry_run)


@app.command(rich_help_panel=ACT)
def diagnose(
    context: typer.Context,
    *,
    dry_run: DryRun = False,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """Examine AEGIS itself now, and mend what has a remedy."""
    _ask(_given(context, config, is_json=json), "diagnose", is_dry_run=dry_run)


@app.command(rich_help_panel=ACT)
def halt(context: typer.Context, *, config: ConfigPath = None, json: AsJson = False) -> None:
    """Take no more entries; stops and exits go on."""
    _ask(_given(context, config, is_json=json), "halt")


@app.command(rich_help_panel=ACT)
def resume(context: typer.Context, *, config: ConfigPath = None, json: AsJson = False) -> None:
    """Take entries again."""
    _ask(_given(context, config, is_json=json), "resume")


@app.command(rich_help_panel=ACT)
def flatten(context: typer.Context, *, config: ConfigPath = None, json: AsJson = False) -> None:
    """Leave every position of AEGIS now, and take no more entries."""
    _ask(_given(context, config, is_json=json), "flatten")


class _Given(msgspec.Struct, frozen=True, kw_only=True):
    """What a command was given, before and after its name."""

    path: Path
    engine: Callable[[], Start]
    shield: Shield
    is_json: bool


def _session(context: typer.Context) -> Session:
    session = context.obj
    assert isinstance(session, Session), f"Expected a session, was {session!r}"
    return session


def _given(
    context: typer.Context, named: Path | None, *, is_json: bool, is_run: bool = False
) -> _Given:
    session = _session(context)
    if not is_run:
        session.code_of_interrupt = Code.INTERRUPTED
    return _Given(
        path=config_path(named or session.config, session.beside),
        engine=session.engine,
        shield=session.shield,
        is_json=is_json or session.is_json,
    )


def _ask(given: _Given, command: str, *, is_dry_run: bool = False) -> None:
    def work(found: Config) -> int:
        from aegis.cli.asking import ask_running

        return ask_running(found, command, is_dry_run=is_dry_run, is_json=given.is_json)

    _carry_out(given, work)


def _carry_out(
    given: _Given,
    work: Callable[[Config], int],
    *,
    is_trading: bool = False,
    on_trouble: Callable[[tuple[str, ...]], None] = lambda _lines: None,
) -> None:
    """Load the settings and do the work; then exit with its code, or with that of the trouble.

    `on_trouble` hears the lines that go to stderr.
    """
    store: Path | None = None
    try:
        config = load_config(given.path, os.environ, is_trading=is_trading, shield=given.shield)
        store = config.store.path
        raise typer.Exit(work(config))
    except expected_errors() as error:
        trouble = trouble_of(error, store)
        on_trouble(trouble.lines)
        complain(*trouble.lines)
        raise typer.Exit(trouble.code) from error
    except KeyboardInterrupt as interrupt:  # `main` knows the code
        raise typer.Exit(Code.INTERRUPTED) from interrupt
