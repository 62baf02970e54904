"""The protocols that the sandbox speaks."""
