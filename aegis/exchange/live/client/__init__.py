"""The client: one call to an exchange over ccxt, and by evidence what came of it."""
