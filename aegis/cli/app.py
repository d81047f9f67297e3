"""The command line as a table of contents: every command, and where it is.

Invariant: importing this module loads typer and nothing else that takes time.
"""

from __future__ import annotations

import typer

from aegis import __version__
from aegis.cli import act_commands, backup_commands, config_commands, look_commands
from aegis.cli.backtest_command import backtest
from aegis.cli.consent import taking_live
from aegis.cli.examples import epilog_of
from aegis.cli.export_command import export
from aegis.cli.import_command import take_positions
from aegis.cli.output import tell
from aegis.cli.run_command import run
from aegis.cli.session import AsJson, ConfigPath, Live, Version, session_of
from aegis.cli.what_if_command import what_if

LOOK = "Look (works beside a running AEGIS)"
ACT = "Act (on the AEGIS that runs, else on the store)"

app = typer.Typer(
    name="aegis",
    help="AEGIS keeps an automated trader's positions true, through crashes and lost answers.",
    epilog="Without a command: run. Settings are in config.toml, or in AEGIS_SECTION__KEY.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
config_app = typer.Typer(help="Check or show the settings.")


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    *,
    config: ConfigPath = None,
    json: AsJson = False,
    live: Live = False,
    version: Version = False,
) -> None:
    """Take what stands before the command; without one, run."""
    if version:
        tell(f"AEGIS {__version__}")
        raise typer.Exit
    session = session_of(context)
    session.config, session.is_json, session.is_live_meant = config, json, live
    if context.invoked_subcommand is None:
        run(context)


for trade in (run, backtest):
    app.command(epilog=epilog_of(trade.__name__))(taking_live(trade))

app.command("what-if", epilog=epilog_of("what-if"))(taking_live(what_if))

for look in (
    look_commands.status,
    look_commands.positions,
    look_commands.history,
    look_commands.at,
    look_commands.statistics,
    look_commands.report,
    export,
    look_commands.verify,
    look_commands.health,
    backup_commands.backups,
):
    app.command(rich_help_panel=LOOK, epilog=epilog_of(look.__name__))(taking_live(look))

app.add_typer(config_app, name="config", rich_help_panel=LOOK)
for about in (config_commands.check, config_commands.show):
    config_app.command(epilog=epilog_of(f"config {about.__name__}"))(taking_live(about))

for act in (
    act_commands.reconcile,
    act_commands.diagnose,
    act_commands.halt,
    act_commands.resume,
    act_commands.flatten,
    act_commands.resolve,
    backup_commands.backup,
    backup_commands.restore,
    backup_commands.recover,
):
    app.command(rich_help_panel=ACT, epilog=epilog_of(act.__name__))(taking_live(act))

take = app.command("import", rich_help_panel=ACT, epilog=epilog_of("import"))
take(taking_live(take_positions))

command = typer.main.get_command(app)
