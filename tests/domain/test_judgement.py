"""What follows from what a check came to."""

from __future__ import annotations

import pytest

from aegis.domain.checks import CHECKS
from aegis.domain.events import CheckResult
from aegis.domain.judgement import (
    failed,
    halt_for,
    is_unresolved,
    judged,
    line_of,
    outcome_of,
    with_news,
)
from aegis.domain.mends import MakeReserve, RebuildRows

FOUND = CheckResult(check="stuck", status="finding", details="p-1")
DONE = {"stuck": "did it"}


def result(check: str, status: str, details: str = "why") -> CheckResult:
    return CheckResult(check=check, status=status, details=details)


def test_a_remedy_belongs_to_a_finding_alone() -> None:
    assert judged("projections", (), RebuildRows()).remedies == ()
    assert judged("projections", ("x",), RebuildRows()).remedies == (RebuildRows(),)


@pytest.mark.parametrize(
    ("after", "done", "status"),
    [
        (result("stuck", "ok", ""), DONE, "fixed"),
        (result("stuck", "ok", ""), {}, "ok"),
        (FOUND, DONE, "finding"),
        (result("stuck", "failed"), DONE, "failed"),
    ],
)
def test_fixed_is_what_the_second_look_does_not_find(
    after: CheckResult, done: dict[str, str], status: str
) -> None:
    assert outcome_of(FOUND, after, done).status == status


def test_what_was_tried_in_vain_is_told() -> None:
    assert outcome_of(FOUND, FOUND, DONE).details == "p-1; tried: did it"


@pytest.mark.parametrize(
    ("before", "is_news"),
    [
        (None, True),
        (FOUND, False),
        (result("stuck", "finding", "p-2"), True),
        (result("stuck", "ok", ""), True),
        (result("stuck", "failed", "p-1"), True),
    ],
)
def test_a_finding_is_news_until_it_was_told(before: CheckResult | None, *, is_news: bool) -> None:
    told = {} if before is None else {"stuck": before}
    assert with_news((FOUND,), told)[0].is_news is is_news


def test_what_is_well_is_no_news_and_what_was_fixed_always_is() -> None:
    fixed = result("disk", "fixed")
    assert not with_news((result("disk", "ok"),), {})[0].is_news
    assert with_news((fixed,), {"disk": fixed})[0].is_news


def test_housekeeping_is_done_without_a_word() -> None:
    assert not with_news((result("retention", "fixed"),), {})[0].is_news


@pytest.mark.parametrize("check", [check.name for check in CHECKS])
@pytest.mark.parametrize("status", ["ok", "fixed", "finding", "failed"])
def test_only_what_is_critical_and_left_is_unresolved(check: str, status: str) -> None:
    critical = {each.name for each in CHECKS if each.is_critical}
    expected = check in critical and status in ("finding", "failed")
    assert is_unresolved(result(check, status)) is expected


@pytest.mark.parametrize(
    ("check", "status", "cause"),
    [
        ("chain", "finding", "store"),
        ("indices", "finding", "store"),
        ("disk", "finding", "disk"),
        ("chain", "failed", None),
        ("chain", "fixed", None),
        ("stuck", "finding", None),
        ("stops", "finding", None),
    ],
)
def test_a_fault_of_the_store_or_its_disk_halts_entries(
    check: str, status: str, cause: str | None
) -> None:
    halt = halt_for((result("limits", "ok"), result(check, status)))
    assert (None if halt is None else halt.cause) == cause


def test_the_store_comes_before_the_disk() -> None:
    halt = halt_for((result("disk", "finding"), result("mark", "finding")))
    assert halt is not None
    assert (halt.cause, "mark" in halt.reason) == ("store", True)


def test_a_line_says_what_is_true_or_what_to_do() -> None:
    assert line_of(result("chain", "ok", "")).endswith("each event's hash covers the one before it")
    assert "why (make room" in line_of(result("disk", "finding"))


def test_a_check_that_could_not_be_done_says_so() -> None:
    assert failed("disk", "denied").result == result("disk", "failed", "denied")
    assert judged("disk", ("missing",), MakeReserve()).result.status == "finding"
