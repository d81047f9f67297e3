"""Prices and candles of an exchange, asked for again and again by a client without keys."""
