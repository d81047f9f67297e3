"""A local Crypto.com Exchange v1, good enough that the real ccxt class trades against it.

    python -m tests.exchange_server [--port 8400] [--folder data/exchange] [--verbose]

The rooms, each with no knowledge of those after it: `codes` and `shapes` (words), `ledger` (the
truth on disk), `market` (prices), `books` (orders, balances), `engine` (what happens to orders),
`public` and `private` (endpoints), `faults`, `core` (a request in, an answer out, without sockets,
threads or a clock), `desk` (the control API), `serving` (HTTP), `local` (what tests use).

It shares no code with the product: an error there cannot hide behind the same error here.
"""
