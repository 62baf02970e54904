"""Providers that are reached through instructor's clients: a wire of its keywords, and a transport that calls them."""
