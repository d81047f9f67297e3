"""Backups of a whole life: a store, and the paper account that belongs to it, always together.

Above the doors of store and exchange, since it needs both; it never trades, and never changes the
store that it copies.
"""
