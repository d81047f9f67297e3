"""What docs/exchange.md says that an answer proves is what the client makes of it."""

from __future__ import annotations

import re

from aegis.exchange.live.calls import Verdict
from aegis.exchange.live.client.classify import Result, judge
from aegis.exchange.live.client.evidence import Heard
from aegis.exchange.live.profiles import CRYPTOCOM, PROFILES
from tests.documents.log_lines import ROOT
from tests.exchange.live.client.answers import PLACE, refusal

DOCUMENT = (ROOT / "docs" / "exchange.md").read_text()
METHOD = "private/create-order"


def verdict_on(code: str) -> Result | Verdict:
    """Return what a code proves of a placing."""
    heard = Heard(status=400, body=refusal(METHOD, int(code)), request_id="11")
    return judge(CRYPTOCOM, PLACE, METHOD, heard, lambda said: said)


def test_the_codes_that_refuse_are_those_of_the_profile() -> None:
    [listed] = re.findall(r"## The codes that refuse.*?\n\n([0-9\s]+)\n\n", DOCUMENT, re.DOTALL)

    assert set(listed.split()) == set(CRYPTOCOM.refusals)


def test_each_code_of_the_table_means_what_it_says() -> None:
    rows = {
        "Limited": CRYPTOCOM.limited & {"42901", "10006"},
        "Denied": CRYPTOCOM.denied & {"40101", "40103", "40104"},
        "Skewed": CRYPTOCOM.skewed & {"40102", "10007"},
    }
    for claim, codes in rows.items():
        assert codes
        for code in codes:
            assert type(verdict_on(code)).__name__ == claim
            row = rf"^\| [^|]*\b{code}\b[^|]*\| it was not carried out"
            assert re.search(row, DOCUMENT, re.MULTILINE)


def test_what_was_left_out_on_purpose_leaves_an_order_unknown() -> None:
    [left_out] = re.findall(r"Left out on purpose are (.*?)A look-up decides", DOCUMENT, re.DOTALL)
    codes = re.findall(r"\d{3,5}", left_out)

    assert len(codes) == 9
    assert {type(verdict_on(code)).__name__ for code in codes} == {"Lost"}


def test_the_exchanges_are_named() -> None:
    others = [name for name, profile in PROFILES.items() if not profile.is_proven]

    assert ", ".join(others[:-1]) + f" and {others[-1]} give prices" in DOCUMENT
