"""What processes that tests fork have loaded: run.py's parts, and the one exchange's class."""

from __future__ import annotations

import supervisors.errands
import supervisors.runs
from aegis.exchange.live.client.door import class_named

PARTS = (supervisors.errands, supervisors.runs)

class_named("cryptocom", "cryptocom")
