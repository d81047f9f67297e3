"""The line to one account: which calls a request is made of, and when each may leave."""
