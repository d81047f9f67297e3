"""How a notice reaches people: what is sent as one, what came of a try, when the next is due.

It knows no channel and no time. Delays are whole real seconds; lengths are UTF-16 units, in
which the messengers that have a limit count.

Invariants:
1. Nothing here drops a notice: only a text that the other side will never take is given up.
2. The letters of a parcel, put together, hold every text of its notices as it was written.
3. Later tries wait no shorter than earlier ones, and never longer than the constants say.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from aegis.domain.ids import EventId, Instant
from aegis.domain.instants import text_of

BACKOFF_S_MAX = 60
"""Between two tries without an answer: soon enough after an outage, and a request a minute."""

REFUSED_S = 300
"""Between two tries that were refused: only a person mends it, and hardly within seconds."""

ASKED_WAIT_S_MAX = 86_400
"""The longest wait that the other side may ask for; more is a fault of its own."""

REASON_CHARS_MAX = 200

_BACKOFF_DOUBLINGS_MAX = 10


class Notice(msgspec.Struct, frozen=True, array_like=True):
    """One text for one channel. `attempts` were made already and failed.

    `wait_until` is set where the other side asked to be left alone until then.
    """

    event_id: EventId
    channel: str
    text: str
    attempts: int
    event: str
    at: Instant
    wait_until: Instant | None


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """A try that failed; without a next one the notice is given up.

    `is_asked` says that the other side asked to wait until then, which outlives a restart.
    """

    event_id: EventId
    channel: str
    error: str
    next_attempt_at: Instant | None
    is_asked: bool = False


class Manners(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel asks of whoever sends through it.

    `interval_s` lies between two letters. A text beyond `length_max` goes in parts. From
    `gather_from` waiting notices on, as many as fit go as one. Without a deadline the channel
    answers at once and always takes what it is given.
    """

    deadline_s: int | None
    interval_s: int = 0
    length_max: int | None = None
    gather_from: int | None = None
    page_max: int = 1


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """One text on its way, with the name and the instant of the (last) event it tells of."""

    text: str
    event_id: EventId
    event: str
    at: Instant


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """What goes out as one: its letters in order, and the notices that are told by them."""

    letters: tuple[Letter, ...]
    event_ids: tuple[EventId, ...]


class Sent(msgspec.Struct, frozen=True):
    """The other side has it."""


class RetryAfter(msgspec.Struct, frozen=True):
    """The other side did not take it, and says when to come again."""

    seconds: int


class Refused(msgspec.Struct, frozen=True):
    """A definite no. `is_final` says that this very text will never be taken.

    Every other refusal is one that a person may mend: a wrong token, a chat that is closed.
    """

    reason: str
    is_final: bool = False


class NoAnswer(msgspec.Struct, frozen=True):
    """Nothing definite came back; it may have arrived."""

    reason: str


Failure = RetryAfter | Refused | NoAnswer
Delivery = Sent | RetryAfter | Refused | NoAnswer


class NextTry(msgspec.Struct, frozen=True, kw_only=True):
    """When to try again; `delay_s` is None where the notice is given up."""

    delay_s: int | None
    error: str
    is_asked: bool = False


def next_try(failure: Failure, failures: int) -> NextTry:
    """Return what follows from the last of so many failed tries of one notice, this one too."""
    assert failures > 0, f"Expected a failed try, was {failures}"
    backoff_s = min(1 << min(failures - 1, _BACKOFF_DOUBLINGS_MAX), BACKOFF_S_MAX)
    match failure:
        case RetryAfter():
            asked_s = min(failure.seconds, ASKED_WAIT_S_MAX)
            error = f"asked to wait {failure.seconds} s"
            return NextTry(delay_s=max(asked_s, backoff_s), error=error, is_asked=True)
        case Refused():
            delay_s = None if failure.is_final else REFUSED_S
            return NextTry(delay_s=delay_s, error=f"refused: {_short(failure.reason)}")
        case NoAnswer():
            return NextTry(delay_s=backoff_s, error=f"no answer: {_short(failure.reason)}")


def parcel_of(notices: Sequence[Notice], manners: Manners) -> Parcel:
    """Return what to send now of the eldest notices that wait: one of them, or several as one."""
    assert notices, "Expected a notice that waits, was none"
    gather_from = manners.gather_from
    if gather_from is not None and len(notices) >= gather_from:
        gathered = _gathered(notices, manners)
        if len(gathered) > 1:
            return _parcel(gathered, (_batch_text(gathered),))
    return _parcel(notices[:1], parts_of(notices[0].text, manners.length_max))


def parts_of(text: str, length_max: int | None) -> tuple[str, ...]:
    """Return a text in parts that are each short enough; put together they are the text."""
    if length_max is None or utf16_length(text) <= length_max:
        return (text,)
    parts, length = [""], 0
    for character in text:
        length += utf16_length(character)
        if length > length_max:
            parts.append("")
            length = utf16_length(character)
        parts[-1] += character
    return tuple(parts)


def utf16_length(text: str) -> int:
    """Return how many UTF-16 units a text has: a character beyond 16 bits has two."""
    return len(text) + sum(character > "\uffff" for character in text)


def _gathered(notices: Sequence[Notice], manners: Manners) -> Sequence[Notice]:
    """Return the eldest notices whose one text is still short enough."""
    most = len(notices)
    while manners.length_max is not None and most > 1:
        if utf16_length(_batch_text(notices[:most])) <= manners.length_max:
            break
        most -= 1
    return notices[:most]


def _batch_text(notices: Sequence[Notice]) -> str:
    """Return the text of several notices, each with the time that it speaks of."""
    lines = [f"{len(notices)} notices that waited:"]
    lines += [f"{text_of(each.at)[:19].replace('T', ' ')} {each.text}" for each in notices]
    return "\n".join(lines)


def _parcel(notices: Sequence[Notice], texts: tuple[str, ...]) -> Parcel:
    last = notices[-1]
    return Parcel(
        letters=tuple(
            Letter(text=text, event_id=last.event_id, event=last.event, at=last.at)
            for text in texts
        ),
        event_ids=tuple(notice.event_id for notice in notices),
    )


def _short(reason: str) -> str:
    return reason if len(reason) <= REASON_CHARS_MAX else f"{reason[:REASON_CHARS_MAX]}..."
