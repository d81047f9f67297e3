"""`config check` and `config show`: what would run, and with which settings."""

from __future__ import annotations

from pathlib import Path

from aegis.cli.codes import Code
from aegis.cli.foreseen import remarks_on
from aegis.cli.output import complain, tell, tell_json
from aegis.cli.wording import shown
from aegis.config.model import Config, describe, show


def show_check(config: Config, path: Path, missing: str | None, *, is_json: bool) -> Code:
    """Show what would run, and `missing`, which consents a start still wants.

    The faults that keep it from running were told before. Where the settings are not those of the
    working folder, stderr says whose they are.
    """
    notes = (*notes_on(config), *remarks_on(config), *(() if missing is None else (missing,)))
    if is_json:
        tell_json({"ok": True, "path": str(path), "faults": (), "notes": notes})
        return Code.DONE
    tell(f"ok: {describe(config)}")
    if path.parent != Path():
        complain(f"settings: {shown(path.resolve())}")
    for note in notes:
        tell(f"note: {note}")
    return Code.DONE


def notes_on(config: Config) -> tuple[str, ...]:
    """Return what is lawful, and may still not be what was meant."""
    notify = config.notify
    named = (("telegram", notify.telegram.enabled), ("webhook", notify.webhook.enabled))
    channels = [name for name, is_enabled in named if is_enabled]
    if not channels or config.market.speed > 0:
        return ()
    return (f"at market.speed = 0 nothing is sent to {' or '.join(channels)}, only to the log",)


def show_settings(config: Config, *, is_json: bool) -> Code:
    """Show all settings, as a file that loads to the same or as JSON."""
    if is_json:
        tell(config.model_dump_json())
    else:
        tell(show(config).removesuffix("\n"))
    return Code.DONE
