"""Limits that nobody tells, learned from what is refused."""
