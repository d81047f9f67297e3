"""The faults of an exchange by kind: those of one kind look alike to who is answered by them."""

from __future__ import annotations

from tests.exchange_server.faults import Fault

NEVER_ARRIVED = (
    *(Fault.DROP_BEFORE, Fault.SILENCE_BEFORE, Fault.HTML_502_BEFORE, Fault.HTML_503_BEFORE),
    Fault.MAINTENANCE,
)
ANSWER_LOST = (
    *(Fault.DROP_AFTER, Fault.SILENCE, Fault.HTML_502_AFTER, Fault.MALFORMED, Fault.TRUNCATED),
    *(Fault.EMPTY, Fault.DRIP),
)
UNBELIEVABLE = (
    *(Fault.NULLS, Fault.NANS, Fault.NEGATIVES, Fault.WORDS, Fault.MISSING, Fault.HUGE),
    *(Fault.OTHER_ID, Fault.OTHER_INSTRUMENT, Fault.TIMES),
)
TOO_MANY = (Fault.CODE_42901, Fault.HTML_429)
BANNED = (Fault.BAN,)
KEY_GONE = (Fault.REVOKED, Fault.HTML_401, Fault.HTML_403)
LATE = (Fault.LATE_EFFECT,)
REJECTED_LATE = (Fault.LATE_REJECTION,)
LAGGING = (Fault.LAG,)
FORGETFUL = (Fault.FORGET,)
EMPTY_LISTS = (Fault.NO_DATA,)
TWICE = (Fault.REPEATED,)
APART = (Fault.SKEW,)
KINDS = (
    *(NEVER_ARRIVED, ANSWER_LOST, UNBELIEVABLE, TOO_MANY, BANNED, KEY_GONE, LATE, REJECTED_LATE),
    *(LAGGING, FORGETFUL, EMPTY_LISTS, TWICE, APART),
)

SECONDS = {Fault.SKEW: 90.0, Fault.LAG: 20.0, Fault.BAN: 30.0}
