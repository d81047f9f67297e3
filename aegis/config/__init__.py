"""The configuration, from its file and the environment to a `Config`: `file.load` is the way in.

`model` holds the settings, `rules` and `paths` what holds between them, `reading` and `lines` how
they are read, `faults` how mistakes are told, `secret` what must never be shown.
"""
