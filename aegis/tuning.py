"""What can change while AEGIS runs: limits, sizes, policy and intervals, as one value.

Whoever is started is built from the value of that moment; whoever runs already is told.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from aegis.dialogue import Message
from aegis.domain.position import StopPolicy
from aegis.domain.risk import Limits
from aegis.domain.sizing import Sizing
from aegis.domain.wishes import Plan


class Tuning(msgspec.Struct, frozen=True, kw_only=True):
    """Intervals are real seconds; `day_starts_at_s` is the second of the UTC day.

    `sizing` and `policy` are those of entries to come: a position keeps its own.
    """

    limits: Limits
    sizing: Sizing
    policy: StopPolicy
    day_starts_at_s: int
    reconcile_interval_s: float
    is_healing: bool
    diagnose_interval_s: float
    stuck_after_days: int

    def plan(self, plan: Plan) -> Plan:
        """Return a plan with what this says of entries to come."""
        return replace(
            plan,
            sizing=self.sizing,
            policy=self.policy,
            entries_max=self.limits.entries_per_position_max,
        )


class Reconfigured(Message, frozen=True, kw_only=True):
    """The settings were changed; what is under way goes on by the new ones from here."""

    tuning: Tuning
