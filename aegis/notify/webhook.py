"""The channel to an HTTP endpoint of the operator's own: one JSON object a notice.

The URL is the secret: whoever knows it may post. Nothing of an answer but its status is told,
since the body may repeat what it was asked.
"""

from __future__ import annotations

from aegis.config.secret import Secret
from aegis.domain.delivery import Delivery, Letter, Manners, NoAnswer, Refused, RetryAfter, Sent
from aegis.domain.instants import text_of
from aegis.notify.http import DEADLINE_S, Answer, post

WEBHOOK_CHANNEL = "webhook"
INTERVAL_S = 1
"""Chat services behind a webhook take about one message a second."""

_DONE = range(200, 300)
_TIME_MENDS = (408, 425, 429)
_TOO_MANY = 429
_REFUSALS = range(400, 500)


class WebhookMessenger:
    """Implements `ports.Messenger`."""

    channel = WEBHOOK_CHANNEL
    manners = Manners(deadline_s=DEADLINE_S, interval_s=INTERVAL_S)

    def __init__(self, url: Secret) -> None:
        self._url = url

    def send(self, letter: Letter) -> Delivery:
        """Post one notice; the same `event_id` again is the same notice."""
        payload = {
            "event_id": letter.event_id,
            "event": letter.event,
            "at": text_of(letter.at),
            "text": letter.text,
        }
        answer = post(self._url.reveal(), payload)
        return answer if isinstance(answer, NoAnswer) else _delivery(answer)


def _delivery(answer: Answer) -> Delivery:
    status = answer.status
    if status in _DONE:
        return Sent()
    may_wait = status == _TOO_MANY or status not in _REFUSALS
    if answer.retry_after_s is not None and may_wait:
        return RetryAfter(answer.retry_after_s)
    if status in _REFUSALS and status not in _TIME_MENDS:
        return Refused(f"status {status}")
    return NoAnswer(f"status {status}")
