"""The Archivist: backups at their times, one at a time, and failures told once and tried again."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from actors import names
from actors.archivist import START_AFTER_S, Archivist
from aegis.archive.errors import ArchiveError
from aegis.archive.making import Made
from aegis.archive.words import BackUpNow
from aegis.domain.commands import RaiseAlarm
from supervisors.runtime import SeededRuntime
from tests.actors.ensemble import Ensemble
from tests.stage import Stage

ME = names.ARCHIVIST
DAY_S = 86_400.0
HOUR_S = DAY_S / 24

MADE = Made(name="b-1", is_new=True, events=7, head_hash="cafe", size=9)
SAME = Made(name="b-1", is_new=False, events=7, head_hash="cafe", size=9)
ALONE = Made(name="b-1", is_new=True, events=7, head_hash="cafe", size=9, copy_fault="away")


class Scene(Ensemble):
    """The Archivist, and a maker whose outcomes are given; the last one goes on."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self.triggers: list[str] = []

    def launch(self, *outcomes: Made | str) -> None:
        left = list(outcomes)

        def make(trigger: str) -> Made:
            self.triggers.append(trigger)
            outcome = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(outcome, str):
                raise ArchiveError(outcome)
            return outcome

        self.stage.launch(ME, partial(Archivist, make=make, interval_s=DAY_S))

    def wait_logged(self, event: str, count: int = 1) -> dict[str, object]:
        """Return the fields of the `count`th line of an event."""
        self.stage.wait_for(lambda: self.stage.events().count(event) >= count)
        return [fields for name, fields in self.stage.logged if name == event][count - 1]

    def alarms(self) -> list[str]:
        return [each.text for each in self.commands(RaiseAlarm)]


Calendar = tuple[Scene, Callable[[float], None]]


@pytest.fixture
def scene(stage: Stage) -> Scene:
    return Scene(stage)


@pytest.fixture
def calendar(seeded_stage: Stage) -> Calendar:
    """Return a scene where a day costs nothing, and what lets real time pass in it."""
    runtime = seeded_stage.runtime
    assert isinstance(runtime, SeededRuntime), f"Expected the clock that can be told, was {runtime}"
    return Scene(seeded_stage), runtime.run_for


def test_a_backup_is_told_with_what_it_holds(scene: Scene) -> None:
    scene.launch(MADE)
    scene.tell(ME, BackUpNow(trigger="interval"))
    fields = scene.wait_logged("BackupMade")
    assert (fields["name"], fields["events"], fields["head_hash"]) == ("b-1", 7, "cafe")


def test_a_backup_is_made_soon_after_the_start_and_each_interval(
    calendar: Calendar,
) -> None:
    scene, days = calendar
    scene.launch(MADE)
    days(START_AFTER_S / 2)
    assert scene.triggers == []
    days(2 * DAY_S + 60)
    assert scene.triggers == ["start", "interval", "interval"]


def test_what_is_due_while_one_is_made_is_that_one(calendar: Calendar) -> None:
    scene, days = calendar
    scene.launch(MADE)
    for _ in range(3):
        scene.tell(ME, BackUpNow(trigger="interval"))
    days(60)
    assert scene.triggers == ["interval", "start"]


def test_nothing_new_is_no_news(scene: Scene) -> None:
    scene.launch(SAME, MADE)
    scene.tell(ME, BackUpNow(trigger="one"))
    scene.stage.wait_for(lambda: bool(scene.triggers))
    scene.settle(ME)
    assert scene.stage.events().count("BackupMade") == 0


def test_a_failure_is_an_error_with_its_reason_and_an_alarm(scene: Scene) -> None:
    scene.launch("the disk is full")
    scene.tell(ME, BackUpNow(trigger="interval"))
    fields = scene.wait_logged("BackupFailed")
    assert "the disk is full" in str(fields["reason"])
    assert fields["level"] == "error"
    (alarm,) = scene.wait_command(RaiseAlarm)
    assert "the disk is full" in alarm.text


def test_failures_in_a_row_are_tried_again_and_alarm_once(calendar: Calendar) -> None:
    scene, days = calendar
    scene.launch("full", "full", "full", MADE, "full")
    days(START_AFTER_S + 2.5 * HOUR_S)
    assert scene.triggers == ["start", "retry", "retry"]
    assert len(scene.alarms()) == 1
    days(DAY_S)
    assert scene.triggers[:4] == ["start", "retry", "retry", "retry"]
    assert len(scene.alarms()) == 2


def test_a_second_copy_that_is_missing_is_told_beside_the_backup(scene: Scene) -> None:
    scene.launch(ALONE)
    scene.tell(ME, BackUpNow(trigger="interval"))
    assert scene.wait_logged("BackupCopyFailed")["reason"] == "away"
    assert "BackupMade" in scene.stage.events()
    (alarm,) = scene.wait_command(RaiseAlarm)
    assert "backup.copy_to" in alarm.text


def test_no_outcome_ends_the_archivist(scene: Scene) -> None:
    scene.launch("full", ALONE, MADE)
    for count, event in enumerate(("BackupFailed", "BackupCopyFailed"), start=1):
        scene.tell(ME, BackUpNow(trigger=str(count)))
        scene.wait_logged(event)
    assert "ActorDied" not in scene.stage.events()
