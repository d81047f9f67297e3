"""What the Notifier hears of its channels, and of its own timers."""

from __future__ import annotations

from aegis.dialogue import Message
from aegis.domain.delivery import Delivery


class SendEnded(Message, frozen=True, kw_only=True):
    """What came of a letter that went out by a channel."""

    channel: str
    delivery: Delivery


class ChannelDue(Message, frozen=True, kw_only=True):
    """A timer of the Notifier's own: a channel may send again."""

    channel: str


class OutboxCheckDue(Message, frozen=True, kw_only=True):
    """A timer of the Notifier's own: see whether a channel waits for an answer that was lost."""
