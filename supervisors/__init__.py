"""Dying, order and patience: the tree as data, what decides over it, and what runs it."""
