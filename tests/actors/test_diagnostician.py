"""The Diagnostician: looks, mends, looks again; fixed is what the second look does not find."""

from __future__ import annotations

from functools import partial

import msgspec
import pytest

from actors import names
from actors.diagnostician import AT_START, RECONCILED_WITHIN_S, Diagnostician
from aegis.clock import ManualClock
from aegis.domain.checks import CHECKS
from aegis.domain.commands import (
    ChangeTradingState,
    CompleteDiagnosis,
    CompleteReconciliation,
    RaiseAlarm,
    RaiseStop,
)
from aegis.domain.diagnose import Bounds
from aegis.domain.ids import EventId, Generation
from aegis.domain.judgement import Ask, Depth, Judgement, judged
from aegis.domain.mends import MakeReserve, Orphan, RebuildRows, RewriteMark, SetAside
from aegis.messages import (
    DiagnoseNow,
    DiagnosisReported,
    Execute,
    MendStore,
    ReadBook,
    StoreMended,
)
from supervisors.seeded import SeededRuntime
from tests.actors.ensemble import Ensemble
from tests.domain.kit import LIMITS, START, Desk
from tests.stage import Stage

ME = names.DIAGNOSTICIAN
ASKER = names.COMMAND_LISTENER
STORE = names.POSITION_STORE

CHAIN_OK = judged("chain", ())
CHAIN_BROKEN = judged("chain", ("event 2 was changed",))
ROWS_OK = judged("projections", ())
ROWS_DIFFER = judged("projections", ("p-1 differs",), RebuildRows())
ROWS_DOUBTED = judged("projections", ("p-1 differs",))
BOUNDS = Bounds(limits=LIMITS, stuck_after_days=36_500, unknown_after_s=60, bare_after_s=60)
SOUND = (CHAIN_OK, ROWS_OK)

Findings = tuple[Judgement, ...]


class Scene(Ensemble):
    def __init__(self, stage: Stage, desk: Desk | None = None) -> None:
        super().__init__(stage, desk)
        self.asked: list[Ask] = []
        self.inspections: list[Findings | Exception] = []

    def begin(self, *inspections: Findings | Exception, first: DiagnoseNow = AT_START) -> Scene:
        """Launch it; each look into the store finds the next of `inspections`."""
        self.inspections = list(inspections)
        build = partial(
            Diagnostician,
            inspect=self._inspect,
            bounds=BOUNDS,
            interval_s=3600,
            deep_interval_s=3 * 3600,
            first=first,
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


ERRAND = DiagnoseNow(trigger="start", reply_to=ASKER, token=7)


def test_an_errand_s_question_waits_for_the_reconciliation() -> None:
    runtime = SeededRuntime(ManualClock(START), 1)
    scene = Scene(Stage(runtime)).begin(SOUND, first=ERRAND).look(reconciled=0)
    runtime.run_for(RECONCILED_WITHIN_S - 1)
    assert scene.asked == []
    scene.publish(ME, reconciliation("start"))
    scene.look(2)
    scene.completed()

    (report,) = scene.wait_heard(ASKER, DiagnosisReported)
    assert report.token == 7
    runtime.run_for(RECONCILED_WITHIN_S)
    assert len(scene.heard(STORE, ReadBook)) == 2


def test_an_errand_s_question_is_answered_where_the_reconciliation_was_quicker(
    scene: Scene,
) -> None:
    scene.begin(SOUND, first=ERRAND).look(reconciled=1)
    scene.completed()
    scene.wait_heard(ASKER, DiagnosisReported)


def test_an_errand_s_question_is_answered_where_nobody_can_reconcile() -> None:
    runtime = SeededRuntime(ManualClock(START), 1)
    scene = Scene(Stage(runtime)).begin(SOUND, first=ERRAND).look(reconciled=0)
    runtime.run_for(RECONCILED_WITHIN_S)
    scene.look(2, reconciled=0)
    scene.completed()
    scene.wait_heard(ASKER, DiagnosisReported)


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


def test_a_start_leaves_the_time_to_place_what_should_rest_and_a_person_is_told_at_once(
    scene: Scene,
) -> None:
    scene.desk.waits(-3600)
    scene.desk.holding()  # long before it began
    scene.begin(SOUND, SOUND).look()
    assert scene.completed()["exchange_stop"] == "ok"
    scene.tell(ME, DiagnoseNow(trigger="operator", reply_to=ASKER))
    scene.look(2)
    assert scene.completed(2)["exchange_stop"] == "finding"


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


def finding(check: str, details: str) -> Judgement:
    return judged(check, (details,))


def told(scene: Scene) -> list[tuple[object, object]]:
    """Return the findings that were told, in order."""
    logged = [fields for event, fields in scene.stage.logged if event == "DiagnosisFinding"]
    return [(fields["check"], fields["details"]) for fields in logged]


def again(scene: Scene, number: int) -> dict[str, str]:
    """Ask for another diagnosis, and return what came of it."""
    scene.tell(ME, DiagnoseNow(trigger="interval"))
    scene.look(number)
    return scene.completed(number)


def test_a_finding_is_told_once_until_it_changes(scene: Scene) -> None:
    first, other = finding("wal", "long"), finding("wal", "longer")
    scene.begin((first,), (first,), (other,), (other,)).look()
    scene.completed()
    for number in (2, 3, 4):
        assert again(scene, number)["wal"] == "finding"

    assert told(scene) == [("wal", "long"), ("wal", "longer")]
    news = [
        check.is_news
        for command in scene.commands(CompleteDiagnosis)
        for check in command.checks
        if check.check == "wal"
    ]
    assert news == [True, False, True, False]


def test_what_comes_back_is_news_again(scene: Scene) -> None:
    long = finding("wal", "long")
    scene.begin((long,), (judged("wal", ()),), (long,)).look()
    scene.completed()
    again(scene, 2)
    again(scene, 3)

    assert told(scene) == [("wal", "long"), ("wal", "long")]


def test_a_dry_run_makes_no_finding_old(scene: Scene) -> None:
    long = finding("wal", "long")
    scene.begin((long,), (long,)).look(reconciled=0)
    scene.tell(ME, DiagnoseNow(trigger="operator", is_dry_run=True, reply_to=ASKER))
    scene.look(2)
    scene.wait_heard(ASKER, DiagnosisReported)
    scene.publish(ME, reconciliation("start"))
    scene.look(3)

    scene.completed()
    assert told(scene) == [("wal", "long"), ("wal", "long")]


def test_the_start_and_every_third_minute_look_deep_and_a_person_looks_at_all(
    scene: Scene,
) -> None:
    scene.begin(*[SOUND] * 5).look()
    scene.completed()
    for number in (2, 3, 4):
        again(scene, number)
    scene.tell(ME, DiagnoseNow(trigger="operator", reply_to=ASKER))
    scene.look(5)
    scene.completed(5)

    depths = [ask.depth for ask in scene.asked]
    assert depths == [Depth.DEEP, Depth.LIGHT, Depth.LIGHT, Depth.DEEP, Depth.WHOLE]


def test_the_look_is_told_how_far_the_log_had_come(scene: Scene) -> None:
    scene.begin(SOUND).look()
    scene.completed()

    assert [ask.last_event_id for ask in scene.asked] == [scene.desk.log[-1].event_id]


def test_each_remedy_is_taken_once_and_the_rebuild_last(scene: Scene) -> None:
    without_stop(scene)
    aside = SetAside(orphans=(Orphan(event_id=EventId(3), reason="odd"),))
    sick = (
        judged("mark", ("torn",), RewriteMark()),
        judged("events", ("odd",), aside, RebuildRows()),
        ROWS_DIFFER,
        judged("disk", ("missing",), MakeReserve()),
    )
    scene.begin(sick, ()).look()
    (stop,) = scene.wait_command(RaiseStop)
    mends = [each.mend for each in scene.wait_heard(STORE, MendStore, 4)]
    assert mends == [RewriteMark(), aside, MakeReserve(), RebuildRows()]

    scene.answer(ME, stop, scene.publish(ME, stop))
    for mend in mends:
        scene.tell(ME, StoreMended(mend=mend))
    scene.look(2)
    assert scene.completed()["stops"] == "fixed"


def test_it_looks_again_when_every_remedy_is_taken(scene: Scene) -> None:
    sick = (judged("mark", ("torn",), RewriteMark()), ROWS_DIFFER)
    scene.begin(sick).look()
    scene.wait_heard(STORE, MendStore, 2)
    scene.tell(ME, StoreMended(mend=RewriteMark()))
    scene.settle(ME)

    assert len(scene.heard(STORE, ReadBook)) == 1


def test_an_alarm_is_recorded_before_the_stop_that_it_is_about(scene: Scene) -> None:
    position = scene.desk.holding()
    passed = msgspec.structs.replace(position, stop_price=None, mark=position.entry_price / 2)
    scene.desk.book.keep_position(passed)
    scene.begin(SOUND).look()
    scene.wait_command(RaiseStop)

    commands = [each.command for each in scene.heard(STORE, Execute)]
    assert [type(each) for each in commands] == [RaiseAlarm, RaiseStop]


@pytest.mark.parametrize(("check", "cause"), [("chain", "store"), ("disk", "disk")])
def test_a_fault_of_the_store_halts_entries(scene: Scene, check: str, cause: str) -> None:
    scene.begin((finding(check, "broken"),)).look()
    scene.completed()

    assert [halt.cause for halt in scene.commands(ChangeTradingState)] == [cause]


def test_a_finding_that_was_fixed_halts_nothing(scene: Scene) -> None:
    scene.begin((CHAIN_OK, ROWS_DIFFER), SOUND).look()
    scene.wait_heard(STORE, MendStore)
    scene.tell(ME, StoreMended(mend=RebuildRows()))
    scene.look(2)
    scene.completed()

    assert scene.commands(ChangeTradingState) == []


def test_checks_are_told_in_the_order_of_the_list(scene: Scene) -> None:
    scene.begin((judged("retention", ()), judged("disk", ()), CHAIN_OK)).look()

    order = [check.name for check in CHECKS]
    found = list(scene.completed())
    assert found == sorted(found, key=order.index)
