"""What is worth knowing of the machine, and names nobody's."""

from __future__ import annotations

import os
import platform


def machine() -> dict[str, str]:
    """Return cores, the Python, and how busy the machine is."""
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    python = platform.python_version()
    return {"Cores": str(os.cpu_count()), "Python": python, "Load (1, 5, 15 minutes)": load}
