"""The store: one file, one writer, one truth. The only door to SQLite.

`journal.Store` writes, `reading`, `inspector` and `verify` look.
"""
