"""What may go wrong with a request, as rules that are set while the exchange runs.

A rule names an endpoint ("any", "public", "private" or one of them) and a fault; of the rules
that meet a request, the first that stops it counts, else the first that delays its effect, the
first that spoils its answer, and all that change what it sees.

Invariant: with equal seed, rules and requests, the same requests meet the same faults.
"""

from __future__ import annotations

import random
from enum import StrEnum
from typing import NamedTuple

import msgspec
from msgspec.structs import replace


class Fault(StrEnum):
    # Before it is processed: nothing happens at the exchange.
    DROP_BEFORE = "drop_before"  # connection reset
    SILENCE_BEFORE = "silence_before"  # taken, never answered
    HTML_502_BEFORE = "html_502_before"
    HTML_503_BEFORE = "html_503_before"
    HTML_429 = "html_429"
    CODE_42901 = "code_42901"
    BAN = "ban"  # 429 in HTML with Retry-After; all else is, too, for `seconds`
    MAINTENANCE = "maintenance"
    REVOKED = "revoked"  # 401 in JSON
    HTML_401 = "html_401"
    HTML_403 = "html_403"
    # Its effect comes later.
    LATE_EFFECT = "late_effect"  # reset now, carried out after `seconds`
    LATE_REJECTION = "late_rejection"  # accepted now, REJECTED after `seconds`
    # Its answer is spoiled; what it asked for has happened.
    DROP_AFTER = "drop_after"
    SILENCE = "silence"
    HTML_502_AFTER = "html_502_after"
    MALFORMED = "malformed"  # no JSON
    TRUNCATED = "truncated"  # half of the body, then the end
    EMPTY = "empty"  # 200 and no body
    DRIP = "drip"  # a byte each `seconds`
    NULLS = "nulls"
    NANS = "nans"
    NEGATIVES = "negatives"
    WORDS = "words"
    MISSING = "missing"
    HUGE = "huge"
    NO_DATA = "no_data"  # data: []
    REPEATED = "repeated"  # each row twice
    OTHER_ID = "other_id"  # another's client id
    OTHER_INSTRUMENT = "other_instrument"
    TIMES = "times"  # instants in the wrong unit
    # What it sees is not what is.
    LAG = "lag"  # the state `seconds` ago, prices but for the book's as well
    FORGET = "forget"  # an order that has ended is not known
    SKEW = "skew"  # the exchange's clock is `seconds` ahead
    # The end of a process of ours, once the request was processed.
    KILL_BEFORE_ANSWER = "kill_before_answer"
    KILL_AFTER_ANSWER = "kill_after_answer"


GATES = frozenset(list(Fault)[: list(Fault).index(Fault.LATE_EFFECT)])
DELAYS = frozenset({Fault.LATE_EFFECT, Fault.LATE_REJECTION})
VIEWS = frozenset({Fault.LAG, Fault.FORGET, Fault.SKEW})
KILLS = frozenset({Fault.KILL_BEFORE_ANSWER, Fault.KILL_AFTER_ANSWER})
SPOILS = frozenset(Fault) - GATES - DELAYS - VIEWS - KILLS


class Rule(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """One fault, from the call after `after` on, for `next` calls or for ever.

    `next` counts calls that it meets; with a `probability` below one it meets some of them, by
    the seed. `seconds` and `pid` are what the fault needs.
    """

    fault: Fault
    endpoint: str = "any"
    probability: float = 1.0
    next: int | None = None
    after: int = 0
    seconds: float = 1.0
    pid: int | None = None


def storm(share: float, *, seconds: float = 2.0) -> list[Rule]:
    """Return rules by which about a share of all calls meets a fault, of many kinds alike."""
    kinds: list[Rule] = [
        *(Rule(fault=fault, seconds=seconds) for fault in STORMY),
        *(Rule(fault=fault, endpoint="private", seconds=seconds) for fault in STORMY_READS),
    ]
    each = 1 - (1 - share) ** (1 / len(kinds))
    return [replace(rule, probability=each) for rule in kinds]


STORMY = (
    *(Fault.DROP_BEFORE, Fault.DROP_AFTER, Fault.HTML_502_BEFORE, Fault.HTML_502_AFTER),
    *(Fault.MALFORMED, Fault.TRUNCATED, Fault.EMPTY, Fault.CODE_42901, Fault.SILENCE),
)
STORMY_READS = (Fault.LATE_EFFECT, Fault.LATE_REJECTION, Fault.LAG, Fault.NULLS, Fault.REPEATED)


class Met(NamedTuple):
    """The rules that a request meets, at most one of a kind but for views and kills."""

    gate: Rule | None
    delay: Rule | None
    spoil: Rule | None
    views: tuple[Rule, ...]
    kills: tuple[Rule, ...]

    def names(self) -> str | None:
        """Return the names of what counted, or None."""
        found: list[Rule | None] = [self.gate]
        if self.gate is None:
            found = [self.delay, self.spoil, *self.views]
        found += self.kills
        return ",".join(each.fault.value for each in found if each is not None) or None


class Faults:
    """The rules that are set, with how often each has been called on."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(f"{seed}:faults")
        self._rules: list[Rule] = []
        self._calls: list[int] = []
        self._met: list[int] = []

    @property
    def rules(self) -> tuple[Rule, ...]:
        return tuple(self._rules)

    def set(self, rules: list[Rule]) -> None:
        """Replace all rules; each counts anew."""
        self._rules = list(rules)
        self._calls = [0] * len(rules)
        self._met = [0] * len(rules)

    def add(self, rules: list[Rule]) -> None:
        self._rules += rules
        self._calls += [0] * len(rules)
        self._met += [0] * len(rules)

    def meet(self, endpoint: str) -> Met:
        """Say what a request to an endpoint meets, and count it."""
        met = [
            rule
            for number, rule in enumerate(self._rules)
            if _is_for(rule, endpoint) and self._counts(number, rule)
        ]

        def first(kinds: frozenset[Fault]) -> Rule | None:
            return next((rule for rule in met if rule.fault in kinds), None)

        return Met(
            gate=first(GATES),
            delay=first(DELAYS),
            spoil=first(SPOILS),
            views=tuple(rule for rule in met if rule.fault in VIEWS),
            kills=tuple(rule for rule in met if rule.fault in KILLS),
        )

    def _counts(self, number: int, rule: Rule) -> bool:
        self._calls[number] += 1
        if self._calls[number] <= rule.after:
            return False
        if rule.next is not None and self._met[number] >= rule.next:
            return False
        if rule.probability < 1 and self._random.random() >= rule.probability:
            return False
        self._met[number] += 1
        return True


def _is_for(rule: Rule, endpoint: str) -> bool:
    return rule.endpoint in {"any", endpoint, endpoint.partition("/")[0]}
