"""Channels to people: each door against a real peer, and all of them through an outage."""
