"""What carries a request: our own HTTP client, or a provider's official SDK with the same bytes."""
