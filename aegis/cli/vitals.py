"""`health`: whether the AEGIS that runs is well, judged by its last heartbeat."""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from aegis.cli.codes import Code
from aegis.cli.output import tell, tell_json
from aegis.cli.wording import shown
from aegis.clock import wall_text
from aegis.config.model import Config
from aegis.domain.health import Health, judge
from aegis.domain.ids import NANOS_PER_SECOND
from aegis.domain.instants import instant_of
from aegis.log.file import last_of
from aegis.store.errors import StoreError
from aegis.store.lock import holder_of
from aegis.store.reading import read_calls

Line = Mapping[str, object]


def show_health(config: Config, *, is_json: bool) -> Code:
    """Show the verdict; the exit code is for a watchdog or a service's check."""
    pid, log = holder_of(config.store.path), config.log.path
    start = last_of(log, "Starting")
    health = judged(
        pid,
        start,
        last_of(log, "Heartbeat"),
        now=wall_text(),
        interval_s=math.ceil(config.supervisor.heartbeat_s),
        is_denied=config.mode == "live"
        and is_last(last_of(log, "KeyDenied"), start, last_of(log, "KeyAccepted")),
    )
    if is_json:
        told = {"is_healthy": health.is_healthy, "text": health.text, "pid": pid}
        tell_json({**told, "last_calls": _last_calls(config)})
    else:
        missing = "" if config.store.path.exists() else f"; no store yet at {_store(config)}"
        tell(health.text + missing)
    return Code.DONE if health.is_healthy else Code.NO


def _last_calls(config: Config) -> object:
    """Return how the last calls to an exchange fared; None where the store cannot tell."""
    try:
        return msgspec.to_builtins(read_calls(config.store.path))
    except StoreError:
        return None


def judged(
    pid: int | None,
    start: Line | None,
    beat: Line | None,
    *,
    now: str,
    interval_s: int,
    is_denied: bool = False,
) -> Health:
    """Judge by the log's last lines; a heartbeat from before the last start is another life's."""
    is_own = beat is not None and (start is None or str(start["ts"]) <= str(beat["ts"]))
    line: Line = beat if beat is not None and is_own else {}
    completed = line.get("completed")
    return judge(
        holder_pid=pid,
        heartbeat_age_s=_age_s(line, now),
        completed=completed if isinstance(completed, int) else 0,
        is_first=line.get("is_first") is True,
        cause=str(line.get("cause", "")),
        interval_s=interval_s,
        is_denied=is_denied,
    )


def is_last(line: Line | None, *others: Line | None) -> bool:
    """Say whether a line is there, and was written after the others."""
    told = [str(other["ts"]) for other in others if other is not None]
    return line is not None and all(str(line["ts"]) > each for each in told)


def _age_s(line: Line, now: str) -> int | None:
    try:
        age_ns = _instant(now) - _instant(str(line["ts"]))
    except (KeyError, ValueError):  # no line, or one that somebody else wrote
        return None
    return max(0, age_ns // NANOS_PER_SECOND)


def _instant(ts: str) -> int:
    """Return a log line's time, which has milliseconds, as an instant."""
    return instant_of(f"{ts.removesuffix('Z'):0<29}Z")


def _store(config: Config) -> str:
    return shown(config.store.path)
