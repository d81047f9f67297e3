"""Why something that a person asked for cannot be done at an exchange now."""

from __future__ import annotations


class ExchangeError(Exception):
    """The text says what was expected and what came; it holds no secret."""


class ExchangeUnavailableError(ExchangeError):
    """It did not answer, or wants no calls now; time may mend it."""


class KeyDeniedError(ExchangeError):
    """It does not take the key; only a person can mend that."""
