"""Dying, order and patience."""
