"""Runs of one account on one machine: one of them keeps the limits, the others ask it, and any can take its place."""
