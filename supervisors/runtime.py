"""What runs actors: threads in production, one seeded thread in simulation, replay and backtest.

Both keep the same contract, `actors.base.ActorRuntime`, which `tests/supervisors` asks of each.
"""

from __future__ import annotations

from supervisors.seeded import Fate, FaultPlan, Latencies, SeededRuntime, no_faults
from supervisors.threads import ThreadRuntime

__all__ = ["Fate", "FaultPlan", "Latencies", "SeededRuntime", "ThreadRuntime", "no_faults"]
