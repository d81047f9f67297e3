"""The log: `logger` takes one fact a line, `lines` writes it out, `file` keeps and reads it."""
