"""Backups of a whole life: made, proved, kept, restored."""
