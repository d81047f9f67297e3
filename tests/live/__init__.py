"""AEGIS in live mode against the local exchange: what it does with real money, tried without."""
