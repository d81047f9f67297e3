"""Commands to the AEGIS that runs, by its control socket."""

from __future__ import annotations

from pathlib import Path

from aegis.cli.codes import Code
from aegis.cli.output import complain, tell, tell_json
from aegis.cli.wording import shown
from aegis.config.model import Config
from aegis.control import NotRunning, ask
from aegis.domain.checks import check_of
from aegis.domain.events import CheckResult
from aegis.store.lock import holder_of
from aegis.vitals import Vitals

VITALS_TIMEOUT_S = 3.0
"""The listener answers within one second, with whom it has heard of."""


def vitals_of(store: Path) -> Vitals | None:
    """Return how the process is that has a store; None where it does not say."""
    try:
        return ask(store, "status", timeout_s=VITALS_TIMEOUT_S).vitals
    except NotRunning:
        return None


def ask_running(config: Config, command: str, *, is_dry_run: bool, is_json: bool) -> Code:
    """Pass a command on and show the answer; 1 where the answer is no, or nobody answers."""
    path = config.store.path
    try:
        answer = ask(path, command, is_dry_run=is_dry_run)
    except NotRunning:
        complain(not_running(shown(path), holder_of(path)))
        return Code.NO
    if is_json:
        told: dict[str, object] = {"is_done": answer.is_done, "text": answer.text}
        if answer.checks:
            told["checks"] = [check_json(check) for check in answer.checks]
        tell_json(told)
    else:
        tell(answer.text)
    return Code.DONE if answer.is_done else Code.NO


def check_json(result: CheckResult) -> dict[str, object]:
    """Return a check's result, and whether it is one that must not stay as it is."""
    return {
        "check": result.check,
        "status": result.status,
        "details": result.details,
        "is_critical": check_of(result.check).is_critical,
    }


def not_running(store: str, pid: int | None) -> str:
    """Return the line for whoever asked nobody."""
    if pid is None:
        return f"AEGIS is not running on {store}; start it with: python run.py"
    return f"AEGIS (pid {pid}) has {store} but does not answer; it is starting, stopping or stuck"
