"""How fast the store is, beside what it is made of: `python -m tests.bench store`.

Every contender writes the same thing: marks of open positions, each an event in the log and a
change of its position's row. All run on one disk, in turns, each time in a new store.
"""
