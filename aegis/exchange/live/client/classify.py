"""What an answer proves of a call: by its status, its body and the profile's codes. Pure.

Invariants:
1. A placing or a cancel counts as not carried out only where the exchange's own program says so: a
   code of the profile's list, in JSON of the right shape, that names this very method and request.
   A gateway's page proves nothing, whatever its status: the order may stand behind it.
2. A read changes nothing. So 401, 403, 418 and 429 are believed without a code as well; but of a
   call without a key nothing is said of the key: who turns it away may be a gateway.
3. All else is `Lost`. Nothing here raises, whatever the bytes.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from aegis.exchange.live.calls import (
    PUBLIC,
    Answered,
    Call,
    Cancel,
    Denied,
    Limited,
    Lost,
    Place,
    ReadOrder,
    Refused,
    Skewed,
    Verdict,
)
from aegis.exchange.live.client.evidence import Heard, plain
from aegis.exchange.live.profile import Profile

OK = 200
REFUSING_STATUSES = frozenset({200, 400, 500})
"""With which the documents of Crypto.com list their refusals, by code; which code has which of them
has changed between editions, so the code decides and the status has to be one of these."""

_DENYING = frozenset({401, 403})
_LIMITING = frozenset({418, 429})

_NOBODY = (None, -1, "ERROR")
"""What stands for the request where the exchange could not read which one it was."""

Clean = Callable[[str], str]
"""Takes secrets out of a text."""


class Result(msgspec.Struct, frozen=True):
    """The exchange answered with success; its data are still to be read."""

    data: msgspec.Raw


class _Envelope(msgspec.Struct):
    code: int | str
    id: int | str | None = None
    method: str | None = None
    message: str | None = None
    result: msgspec.Raw = msgspec.Raw(b"null")


_ENVELOPE = msgspec.json.Decoder(_Envelope)


def judge(
    profile: Profile, call: Call, method: str, heard: Heard, clean: Clean
) -> Result | Verdict:
    """Return what an answer in an envelope of code, id, method and result proves of a call.

    `method` is the one that the call went to.
    """
    try:
        envelope = _ENVELOPE.decode(heard.body)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return without_code(call, heard, "no JSON of the exchange's")
    echo = _Echo(envelope, method, heard.request_id)
    if echo.is_another:
        return Lost(reason=f"HTTP {heard.status}: the answer of another request")
    code = str(envelope.code)
    if code == "0":
        if heard.status != OK:
            return Lost(reason=f"HTTP {heard.status} with a code of success")
        return Result(envelope.result)
    words = (plain(clean(each)) for each in (code, envelope.message or ""))  # cleaned, then cut
    said = f"HTTP {heard.status}, code {' '.join(words)}".strip()
    definite = _refusal(profile, call, code, heard, said) if echo.is_this else None
    return definite or _not_now(profile, call, code, heard, said) or without_code(call, heard, said)


class _Echo:
    """Whether an answer names the request that it answers."""

    def __init__(self, envelope: _Envelope, method: str, request_id: str | None) -> None:
        named_method = None if envelope.method in _NOBODY else envelope.method
        named_id = None if envelope.id in _NOBODY else str(envelope.id)
        is_method = named_method in (None, method)
        is_id = None in (named_id, request_id) or named_id == request_id
        self.is_another = not (is_method and is_id)
        self.is_this = None not in (named_method, named_id) and not self.is_another


def _refusal(
    profile: Profile, call: Call, code: str, heard: Heard, said: str
) -> Refused | Answered | None:
    if isinstance(call, ReadOrder) and code in profile.not_found and heard.status == OK:
        return Answered(value=None)
    if heard.status not in REFUSING_STATUSES:
        return None
    if isinstance(call, Cancel) and code in profile.not_open:
        return Refused(code="not_open", venue_code=code, reason=said)
    if isinstance(call, Place) and code in profile.refusals:
        return Refused(code=profile.refusals[code], venue_code=code, reason=said)
    return None


def _not_now(profile: Profile, call: Call, code: str, heard: Heard, said: str) -> Verdict | None:
    """Return what is checked before anything is carried out: rate, key, time."""
    if code in profile.limited:
        return Limited(retry_after_s=heard.retry_after_s, reason=said)
    if code in profile.denied and not isinstance(call, PUBLIC):
        return Denied(reason=said)
    if code in profile.skewed:
        return Skewed(reason=said)
    return None


def without_code(call: Call, heard: Heard, said: str) -> Limited | Denied | Lost:
    """Return what a status proves where no known code does."""
    reason = said if said.startswith("HTTP") else f"HTTP {heard.status}, {said}"
    if not isinstance(call, Place | Cancel):
        if heard.status in _DENYING and not isinstance(call, PUBLIC):
            return Denied(reason=reason)
        if heard.status in _LIMITING:
            return Limited(retry_after_s=heard.retry_after_s, reason=reason)
    return Lost(reason=reason)
