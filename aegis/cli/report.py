"""`report`: a page about a store, written as one file that needs nothing else."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp

from aegis.cli.codes import Code
from aegis.cli.output import complain, shown_progress, tell, tell_json
from aegis.cli.page.report import Report, page
from aegis.cli.views import no_store
from aegis.cli.wording import counted, shown, size
from aegis.config.model import Config
from aegis.domain.ids import Instant
from aegis.domain.statistics.summary import summarize
from aegis.store.errors import NoStore
from aegis.store.measuring import read_measures


def write_report(config: Config, file: Path | None, since: Instant, *, is_json: bool) -> Code:
    """Write the page to a file, in place of what was there."""
    refusal = refusal_of(file)
    if file is None or refusal is not None:
        complain(refusal or "")
        return Code.USAGE
    try:
        with shown_progress("Reading") as progress:
            found = read_measures(
                config.store.path, config.exchange.quote, since=since, progress=progress
            )
    except NoStore:
        no_store(config.store.path, {"is_there": False}, is_json=is_json)
        return Code.NO  # there is no page
    summary = summarize(found.closed, alive=found.alive, path=found.path)
    report = Report(
        quote=config.exchange.quote,
        symbols=tuple(config.exchange.symbols),
        found=found,
        summary=summary,
    )
    written = page(report).encode()
    replace_file(file, written)
    if is_json:
        tell_json({"file": str(file), "bytes": len(written), "trades": summary.trades})
    else:
        tell(f"{shown(file)}: {counted(summary.trades, 'trade')}, {size(len(written))}")
    return Code.DONE


def refusal_of(file: Path | None) -> str | None:
    """Return why a page cannot go there, or None."""
    if file is None:
        return "report: expected --html FILE, the page to write, was nothing"
    if not file.name or file.is_dir():
        return f"--html: expected a file, was the folder {file}"
    if file.exists() and not file.is_file():
        return f"--html: expected a file that can be replaced, was {file}"
    if not file.resolve().parent.is_dir():
        return f"--html: expected a folder that is there, was {file.parent}; make it first"
    return None


def replace_file(file: Path, content: bytes) -> None:
    """Write a file whole or not at all; `OSError` when that cannot be.

    A new one is the owner's alone, as the store is; one that is replaced keeps its mode.
    """
    target = file.resolve()
    descriptor, name = mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as made:
            with suppress(FileNotFoundError):
                os.fchmod(made.fileno(), stat.S_IMODE(target.stat().st_mode))
            made.write(content)
            made.flush()
            os.fsync(made.fileno())
        Path(name).replace(target)
    finally:
        Path(name).unlink(missing_ok=True)  # it is there still where something failed
