"""Chat completions: OpenAI, Azure, and every server that speaks them."""
