"""The lanes that a request may leave by."""
