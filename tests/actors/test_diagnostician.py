"""The Diagnostician: looks, mends, looks again; fixed is what the second look does not find."""

from __future__ import annotations

from functools import partial

import msgspec
import pytest

from actors import names
from actors.diagnostician import Diagnostician
from aegis.domain.commands import CompleteDiagnosis, CompleteReconciliation, RaiseStop
from aegis.domain.diagnose import Bounds
from aegis.domain.ids import Generation
from aegis.domain.judgement import Ask, Judgement, judged
from aegis.domain.mends import RebuildRows
from aegis.messages import (
    DiagnoseNow,
    DiagnosisReported,
    MendStore,
    ReadBook,
    StoreMended,
)
from tests.actors.ensemble import Ensemble
from tests.domain.kit import LIMITS, Desk
from tests.stage import Stage

ME = names.DIAGNOSTICIAN
ASKER = names.COMMAND_LISTENER
STORE = names.POSITION_STORE

CHAIN_OK = judged("chain", ())
CHAIN_BROKEN = judged("chain", ("event 2 was changed",))
ROWS_OK = judged("projections", ())
ROWS_DIFFER = judged("projections", ("p-1 differs",), RebuildRows())
ROWS_DOUBTED = judged("projections", ("p-1 differs",))
BOUNDS = Bounds(limits=LIMITS, stuck_after_days=36_500, unknown_after_s=60)
SOUND = (CHAIN_OK, ROWS_OK)

Findings = tuple[Judgement, ...]


class Scene(Ensemble):
    def __init__(self, stage: Stage, desk: Desk | None = None) -> None:
        super().__init__(stage, desk)
        self.asked: list[Ask] = []
        self.inspections: list[Findings | Exception] = []

    def begin(self, *inspections: Findings | Exception) -> Scene:
        """Launch it; each look into the store finds the next of `inspections`."""
        self.inspections = list(inspections)
        build = partial(
            Diagnostician,
            inspect=self._inspect,
            bounds=BOUNDS,
            interval_s=3600,
            deep_interval_s=3 * 3600,
        )
        self.stage.launch(ME, build)
        self.wait_heard(STORE, ReadBook)
        return self

    def _inspect(self, ask: Ask) -> Findings:
        self.asked.append(ask)
        found = self.inspections.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    def look(self, number: int = 1, *, reconciled: int = 1) -> Scene:
        """Play the store through the number-th look at the book."""
        self.wait_heard(STORE, ReadBook, number)
        self.show_book(ME, reconciled=reconciled)
        return self

    def completed(self, number: int = 1) -> dict[str, str]:
        """Return the status of each check of the number-th diagnosis."""
        command = self.wait_command(CompleteDiagnosis, number)[number - 1]
        self.answer(ME, command)
        return {check.check: check.status for check in command.checks}


@pytest.fixture
def scene(stage: Stage) -> Scene:
    return Scene(stage)


def without_stop(scene: Scene) -> None:
    """Hold a position whose stop got lost."""
    position = scene.desk.holding()
    scene.desk.book.keep_position(msgspec.structs.replace(position, stop_price=None))


def test_it_waits_for_the_first_reconciliation(scene: Scene) -> None:
    scene.begin(SOUND).look(reconciled=0)
    scene.publish(ME, reconciliation("start"))
    scene.look(2)

    assert set(scene.completed().values()) == {"ok"}


def test_each_start_of_the_trading_branch_is_diagnosed(scene: Scene) -> None:
    scene.begin(SOUND, SOUND).look()
    scene.completed()
    scene.publish(ME, reconciliation("start"))
    scene.look(2)

    scene.completed(2)


def test_another_reconciliation_is_no_start(scene: Scene) -> None:
    scene.begin(SOUND).look()
    scene.completed()
    scene.publish(ME, reconciliation("interval"))
    scene.settle(ME)

    assert len(scene.heard(STORE, ReadBook)) == 1


def test_rows_that_differ_are_made_anew_and_looked_at_again(scene: Scene) -> None:
    scene.begin((CHAIN_OK, ROWS_DIFFER), SOUND).look()
    scene.wait_heard(STORE, MendStore)
    assert scene.commands(CompleteDiagnosis) == []
    scene.tell(ME, StoreMended(mend=RebuildRows()))
    scene.look(2)

    assert scene.completed()["projections"] == "fixed"


def test_rows_that_differ_still_are_not_called_fixed(scene: Scene) -> None:
    scene.begin((CHAIN_OK, ROWS_DIFFER), (CHAIN_OK, ROWS_DIFFER)).look()
    scene.wait_heard(STORE, MendStore)
    scene.tell(ME, StoreMended(mend=RebuildRows()))
    scene.look(2)

    assert scene.completed()["projections"] == "finding"


def test_rows_are_not_made_from_events_that_cannot_be_trusted(scene: Scene) -> None:
    scene.begin((CHAIN_BROKEN, ROWS_DOUBTED)).look()

    assert scene.completed()["projections"] == "finding"
    assert scene.heard(STORE, MendStore) == []


def test_a_missing_stop_is_set_and_looked_at_again(scene: Scene) -> None:
    without_stop(scene)
    scene.begin(SOUND, SOUND).look()
    (stop,) = scene.wait_command(RaiseStop)
    scene.answer(ME, stop, scene.publish(ME, stop))
    scene.look(2)

    assert scene.completed()["stops"] == "fixed"


def test_an_inspection_that_fails_is_a_finding(scene: Scene) -> None:
    scene.begin(OSError("no such file")).look()

    completed = scene.completed()
    assert (completed["chain"], completed["projections"]) == ("failed", "failed")


def test_a_dry_run_reports_and_does_nothing(scene: Scene) -> None:
    without_stop(scene)
    scene.begin((CHAIN_OK, ROWS_DIFFER)).look(reconciled=0)
    scene.tell(ME, DiagnoseNow(trigger="operator", is_dry_run=True, reply_to=ASKER, token=3))
    scene.look(2)

    (report,) = scene.wait_heard(ASKER, DiagnosisReported)
    assert report.token == 3
    assert {c.check for c in report.checks if c.status == "finding"} == {"projections", "stops"}
    assert scene.commands(RaiseStop) == []
    assert scene.commands(CompleteDiagnosis) == []


def test_a_person_hears_only_what_is_written_down(scene: Scene) -> None:
    scene.begin(SOUND).look(reconciled=0)
    scene.tell(ME, DiagnoseNow(trigger="operator", reply_to=ASKER))
    scene.look(2)
    scene.wait_command(CompleteDiagnosis)
    assert scene.heard(ASKER, DiagnosisReported) == []

    scene.completed()

    scene.wait_heard(ASKER, DiagnosisReported)


def test_an_answer_that_comes_twice_changes_nothing(scene: Scene) -> None:
    scene.begin(SOUND).look()
    scene.completed()
    scene.show_book(ME, reconciled=1)
    scene.tell(ME, StoreMended(mend=RebuildRows()))
    scene.settle(ME)

    assert len(scene.commands(CompleteDiagnosis)) == 1


def test_a_diagnosis_that_outlives_its_store_is_still_written_down(scene: Scene) -> None:
    scene.begin((CHAIN_OK, ROWS_DIFFER), SOUND).look()
    scene.wait_heard(STORE, MendStore)
    scene.tell(ME, StoreMended(mend=RebuildRows()))
    scene.look(2, reconciled=0)

    assert scene.completed()["projections"] == "fixed"


def reconciliation(trigger: str) -> CompleteReconciliation:
    return CompleteReconciliation(
        generation=Generation(1),
        trigger=trigger,
        exchange_positions=0,
        local_positions=0,
        discrepancies=(),
    )
