"""The channel to one Telegram chat, over the Bot API's sendMessage.

Texts go without a parse mode: then nothing in them is markup, `BTC_USDT` arrives as written, and
no text can be refused because its markup does not close. Escaping for HTML or MarkdownV2 would
do the same with more to get wrong, for bold letters that nobody needs.

Limits: 4096 characters a message (core.telegram.org/bots/api#sendmessage), about one message a
second to a person and 20 a minute to a group (core.telegram.org/bots/faq).
"""

from __future__ import annotations

import msgspec

from aegis.config.secret import HIDDEN, Secret
from aegis.domain.delivery import Delivery, Letter, Manners, NoAnswer, Refused, RetryAfter, Sent
from aegis.notify.http import DEADLINE_S, Answer, post

LENGTH_MAX = 4096
PERSON_INTERVAL_S = 1
GROUP_INTERVAL_S = 3
GATHER_FROM = 4
"""So many notices waiting are read more easily as one, and spare the limits above."""

PAGE_MAX = 100

_TOO_MANY = 429
_WRONG_TOKEN = (401, 404)
_BAD_GATEWAY_FROM = 500
_TEXT_FAULTS = ("message text is empty", "message is too long", "text must be", "must be encoded")
"""Refusals of the very text; any other one, also an unknown one, a person may mend."""


class _Parameters(msgspec.Struct, frozen=True):
    retry_after: int | None = None
    migrate_to_chat_id: int | None = None


class _Reply(msgspec.Struct, frozen=True):
    ok: bool
    error_code: int | None = None
    description: str = ""
    parameters: _Parameters = _Parameters()


_REPLY = msgspec.json.Decoder(_Reply)


class TelegramMessenger:
    """Implements `ports.Messenger` for one chat."""

    def __init__(self, base_url: str, token: Secret, chat_id: str) -> None:
        self.channel = f"telegram:{chat_id}"
        is_person = chat_id.isdecimal()
        self.manners = Manners(
            deadline_s=DEADLINE_S,
            interval_s=PERSON_INTERVAL_S if is_person else GROUP_INTERVAL_S,
            length_max=LENGTH_MAX,
            gather_from=GATHER_FROM,
            page_max=PAGE_MAX,
        )
        self._base_url = base_url
        self._token = token
        self._chat_id = chat_id

    def send(self, letter: Letter) -> Delivery:
        """Send one text to the chat."""
        payload = {
            "chat_id": self._chat_id,
            "text": letter.text,
            "link_preview_options": {"is_disabled": True},
        }
        answer = post(f"{self._base_url}/bot{self._token.reveal()}/sendMessage", payload)
        if isinstance(answer, NoAnswer):
            return answer
        return _delivery(answer, self._token)


def _delivery(answer: Answer, token: Secret) -> Delivery:
    try:
        reply = _REPLY.decode(answer.body)
    except msgspec.MsgspecError:
        if answer.status == _TOO_MANY:
            return RetryAfter(answer.retry_after_s or 0)
        return NoAnswer(f"{answer.status}, and no answer of Telegram's")
    if reply.ok:
        return Sent()
    code = reply.error_code or answer.status
    said = f"{code} {_clean(reply.description, token)}".strip()
    if code == _TOO_MANY:
        asked_s = reply.parameters.retry_after
        return RetryAfter(max(answer.retry_after_s or 0 if asked_s is None else asked_s, 0))
    if code >= _BAD_GATEWAY_FROM:
        return NoAnswer(said)
    if code in _WRONG_TOKEN:
        return Refused(f"{said}: is the token right?")
    if reply.parameters.migrate_to_chat_id is not None:
        return Refused(f"{said}: the chat id is {reply.parameters.migrate_to_chat_id} now")
    return Refused(said, is_final=any(fault in said for fault in _TEXT_FAULTS))


def _clean(description: str, token: Secret) -> str:
    """Return Telegram's words on one line and without the token, should they repeat it."""
    plain = "".join(each if each.isprintable() else " " for each in description)
    return plain.replace(token.reveal(), HIDDEN)
