"""The command line, pure parts in process and the rest as a person starts it."""
