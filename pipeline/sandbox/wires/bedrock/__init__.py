"""Converse and InvokeModel, as their servers judge and answer."""
