"""`report`: a page about a store, written as one file that needs nothing else."""

from __future__ import annotations

from pathlib import Path

from aegis.cli.codes import Code
from aegis.cli.files import refusal_of_file, replacing
from aegis.cli.output import complain, shown_progress, tell, tell_json
from aegis.cli.page.report import Report, page
from aegis.cli.views import no_store
from aegis.cli.wording import counted, shown, size
from aegis.config.model import Config
from aegis.domain.ids import Instant
from aegis.domain.statistics.summary import summarize
from aegis.store.errors import NoStore
from aegis.store.measuring import read_measures
from aegis.store.reading import read_quote


def write_report(
    config: Config, settings: Path, file: Path | None, since: Instant, *, is_json: bool
) -> Code:
    """Write the page to a file, in place of what was there; `settings` is where these are."""
    refusal = _refusal_of(file, config, settings)
    if file is None or refusal is not None:
        complain(refusal or "")
        return Code.USAGE
    try:
        quote = read_quote(config.store.path) or config.exchange.quote
        with shown_progress("Reading") as progress:
            found = read_measures(config.store.path, quote, since=since, progress=progress)
    except NoStore:
        no_store(config.store.path, {"is_there": False}, is_json=is_json)
        return Code.NO  # there is no page
    summary = summarize(found.closed, alive=found.alive, path=found.path)
    report = Report(
        quote=quote,
        symbols=tuple(config.exchange.symbols),
        found=found,
        summary=summary,
    )
    written = page(report).encode()
    with replacing(file) as made:
        made.write(written)
    if is_json:
        tell_json({"file": str(file), "bytes": len(written), "trades": summary.trades})
    else:
        tell(f"{shown(file)}: {counted(summary.trades, 'trade')}, {size(len(written))}")
    return Code.DONE


def _refusal_of(file: Path | None, config: Config, settings: Path) -> str | None:
    """Return why a page cannot go there, or None."""
    if file is None:
        return "report: expected --html FILE, the page to write, was nothing"
    return refusal_of_file(file, "--html", config, settings)
