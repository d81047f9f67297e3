"""How long an intent takes to the wire of an exchange: `python -m tests.bench gateway`."""
