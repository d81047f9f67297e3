"""Commands that act: by its control socket on the AEGIS that runs, else on the store itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from aegis.cli.calling import as_called
from aegis.cli.codes import Code
from aegis.cli.output import Progress, complain, shown_progress, tell, tell_json
from aegis.cli.settings import folder_of
from aegis.cli.wording import no_store_at, shown
from aegis.config.consents import missing_consents
from aegis.config.model import Config
from aegis.control import Answer, Ask, NotRunning, ask
from aegis.domain.answers import DENIED, UNREACHED
from aegis.domain.checks import check_of
from aegis.domain.events import CheckResult
from aegis.store.lock import holder_of
from aegis.store.mark import mark_path
from aegis.vitals import Vitals

if TYPE_CHECKING:
    from aegis.log.logger import Log  # it loads what takes a look 80 ms, and no look writes a log

VITALS_TIMEOUT_S = 3.0
"""The listener answers within one second, with whom it has heard of."""


SELLING = (
    "flatten is written down: what AEGIS holds is sold now, at market; where no price comes, "
    "without one 5 to 10 s later. It ends within some three minutes"
)
SELLING_ON_PAPER = (
    "flatten: what AEGIS holds on paper is sold at the exchange's next price. It ends within some "
    "three minutes"
)
"""What is said once a flatten begins that takes its time; paper fills at prices alone."""


class Act(Protocol):
    """What does a person's errand where no AEGIS runs; raises what opening raises."""

    def __call__(
        self,
        config: Config,
        *,
        folder: Path,
        log: Log,
        ask: Ask,
        progress: Progress = ...,
        on_selling: Callable[[], None] = ...,
    ) -> Answer: ...


ON_THE_EXCHANGE = frozenset({"reconcile", "diagnose", "flatten", "recover"})
"""What speaks with the exchange, and so wants a live run's consents; the others only write."""


UNREAD = {UNREACHED: Code.UNAVAILABLE, DENIED: Code.NO_PERMISSION}
"""What a command ends with that needs an exchange which cannot be asked."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where an errand is done: the settings, their file, and who does it."""

    config: Config
    path: Path
    office: Callable[[], Act]
    is_live_meant: bool = False

    def refusal(self, wanted: Ask) -> str | None:
        """Return which consents an errand wants and has not, or None."""
        if wanted.command not in ON_THE_EXCHANGE:
            return None
        return missing_consents(self.config, is_live_meant=self.is_live_meant)


def vitals_of(store: Path) -> Vitals | None:
    """Return how the process is that has a store; None where it does not say."""
    try:
        return ask(store, Ask(command="status"), timeout_s=VITALS_TIMEOUT_S).vitals
    except NotRunning:
        return None


def ask_or_act(place: Place, wanted: Ask, *, is_json: bool) -> Code:
    """Have something done, by who runs or by ourselves, and show the answer; 1 where it is no."""
    answer = _answer_of(place.config.store.path, wanted)
    if answer is None:  # out of the failure to ask, which is no part of what comes now
        return _do_it(place, wanted, is_json=is_json)
    return tell_answer(answer, is_json=is_json)


def _answer_of(store: Path, wanted: Ask) -> Answer | None:
    try:
        return ask(store, wanted)
    except NotRunning:
        return None


def _do_it(place: Place, wanted: Ask, *, is_json: bool) -> Code:
    """Do an errand where nobody runs who could, and show the answer."""
    store = place.config.store.path
    holder = holder_of(store)
    if holder is not None:
        is_quick = place.config.market.speed == 0
        complain(not_answering(shown(store), holder, is_quick=is_quick))
        return Code.BUSY
    if is_without_store(place) and not _is_first_look(place, wanted):
        return tell_no_store(store, wanted, is_json=is_json)
    refusal = place.refusal(wanted)
    if refusal is not None:
        complain(refusal)
        return Code.CONFIG
    return tell_answer(_act(place, wanted, _unseen), is_json=is_json)


def is_without_store(place: Place) -> bool:
    """Say whether nothing is there to act on, nor a mark of what was."""
    store = place.config.store.path
    return not store.exists() and not mark_path(store).exists()


def _is_first_look(place: Place, wanted: Ask) -> bool:
    """Say whether an account is asked before anything trades it: that takes no store."""
    return wanted.command == "reconcile" and wanted.is_dry_run and place.config.mode == "live"


def act_alone(place: Place, wanted: Ask, what: str) -> Answer | Code:
    """Do what nobody can do to a store in use; `what` names the bar. Else the code to end with."""
    holder = holder_of(place.config.store.path)
    if holder is not None:
        complain(f"{_holding(shown(place.config.store.path), holder)}; stop it first")
        return Code.BUSY
    refusal = place.refusal(wanted)
    if refusal is not None:
        complain(refusal)
        return Code.CONFIG
    with shown_progress(what) as progress:
        return _act(place, wanted, progress)


def tell_answer(answer: Answer, *, is_json: bool) -> Code:
    """Show an answer; 1 where it is no."""
    text = as_called(answer.text)
    if is_json:
        told: dict[str, object] = {"is_done": answer.is_done, "text": text}
        if answer.checks:
            told["checks"] = [check_json(check) for check in answer.checks]
        tell_json(told)
    else:
        tell(text)
    return Code.DONE if answer.is_done else UNREAD.get(answer.unread, Code.NO)


def check_json(result: CheckResult) -> dict[str, object]:
    """Return a check's result, and whether it is one that must not stay as it is."""
    return {
        "check": result.check,
        "status": result.status,
        "details": result.details,
        "is_critical": check_of(result.check).is_critical,
    }


def _unseen(_done: int, _total: int) -> None:
    """Show nothing: it takes no time worth a bar."""


def _act(place: Place, wanted: Ask, progress: Progress) -> Answer:
    from aegis.cli.running import log_of  # it loads what takes time, and only who acts needs it

    log = log_of(place.config, console_level="error")
    is_live = place.config.mode == "live"
    try:
        act = place.office()
        folder = folder_of(place.path)
        return act(
            place.config,
            folder=folder,
            log=log,
            ask=wanted,
            progress=progress,
            on_selling=partial(complain, SELLING if is_live else SELLING_ON_PAPER),
        )
    finally:
        log.close()


def tell_no_store(store: Path, wanted: Ask, *, is_json: bool) -> Code:
    """Say that there is nothing yet: well for who only looks, and a no for who wants to act."""
    line = no_store_at(store)
    if is_json:
        tell_json({"is_done": wanted.is_dry_run, "text": line})
    elif wanted.is_dry_run:
        tell(line)
    else:
        complain(line)
    return Code.DONE if wanted.is_dry_run else Code.NO


def not_answering(store: str, pid: int, *, is_quick: bool) -> str:
    """Return the line for whoever asked a process that has the store and says nothing.

    `is_quick` is a run at `market.speed` 0, whose result nobody is to meddle with.
    """
    if is_quick:
        why = "a run at market.speed 0 takes no commands"
        return f"{_holding(store, pid)}; {why}: wait for its end, or stop it"
    return f"{_holding(store, pid)} but does not answer; it is starting, stopping or stuck"


def _holding(store: str, pid: int) -> str:
    who = f"AEGIS (pid {pid})" if pid else "AEGIS"
    return f"{who} has {store}"
