"""How long AEGIS takes to begin, and what it holds: `python -m tests.bench start`."""
