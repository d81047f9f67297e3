"""How an answer to a person reads: what was, what is, and why, each said once."""

from __future__ import annotations

import msgspec

from aegis.domain.account import Account, TradingState
from aegis.domain.answers import told_change
from aegis.domain.commands import Refusal
from tests.domain.kit import Desk

WHY = "the canary's 2 entries are sent"


def halted(reason: str) -> Account:
    account = Desk().book.account
    return msgspec.structs.replace(account, trading_state=TradingState.REDUCING, reason=reason)


def test_a_refusal_for_what_halts_already_says_it_once() -> None:
    refusal = Refusal(code="canary", text=WHY)
    assert told_change("resume", halted(WHY), (), refusal) == (False, f"still REDUCING: {WHY}")


def test_a_refusal_for_something_else_says_what_halts_as_well() -> None:
    refusal = Refusal(code="canary", text=WHY)
    told = told_change("resume", halted("by the operator"), (), refusal)
    assert told == (False, f"still REDUCING (by the operator): {WHY}")
