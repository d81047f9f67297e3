"""The store: one file, one writer, one truth. The only door to SQLite.

`journal.Store` writes, `reading` and `verify` look, `position_state_manager` is the library.
"""
