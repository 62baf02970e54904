"""Rows carried by the nodes of a Ray cluster. Only `bridge`, in a process of its own, imports Ray."""
