"""Figures of a run: of its trades, of its equity's path, and what they make together.

Pure. Sums of money are exact decimals; means, ratios and estimates are decimals rounded to 34
digits at each step. There is no float, so equal logs have equal figures on every machine.
"""
