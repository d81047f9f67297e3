"""Where orders go: one account, of paper or of money, behind the same few words.

Invariant: who has a desk does not know which one it is.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from aegis.config.model import Config
from aegis.domain.ids import Instant
from aegis.exchange.paced import Venue
from aegis.ports import Exchange, Runtime


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """How long an order that is not found may still be there, in the exchange's seconds.

    `barrier_s` is from submission to provable absence, None where nobody can prove it; `lag_s` is
    how long what the exchange has may stay out of its answers.
    """

    barrier_s: float | None
    lag_s: float = 0.0


class Desk(Protocol):
    """One account. `open` comes once, before anything else but `lived_until`."""

    @property
    def lived_until(self) -> Instant:
        """The last instant that the account's own record has lived through."""
        ...

    @property
    def exchange(self) -> Exchange: ...

    @property
    def proof(self) -> Proof: ...

    @property
    def venue(self) -> Venue | None:
        """Who trades on the market that is told, and so hears it first; None where it is real."""
        ...

    def open(self, runtime: Runtime) -> None:
        """Make what orders go to; nothing is sent."""
        ...

    def begin(self) -> None:
        """Say what a person should know before the first order."""
        ...

    def renew(self, config: Config) -> None:
        """Take over the keys of a configuration that was read again."""
        ...

    def close(self) -> None:
        """Close what was opened; harmless a second time."""
        ...
