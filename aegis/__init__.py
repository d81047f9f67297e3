"""AEGIS: keeps an automated crypto trader's positions true through every crash."""

__version__ = "0.1.0"
