"""Measurements of AEGIS beside other programs: `python -m tests.bench backtest`.

They are no tests: what they say depends on the machine and on what else it does. Each compares
what came out before it says how fast it came.
"""
