"""Channels to people, and the only door to requests. What is sent when is not decided here."""
