"""One account at a real exchange: profiles, the client over ccxt, and the line it speaks on."""
