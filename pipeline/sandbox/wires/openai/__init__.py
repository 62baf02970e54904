"""Chat completions, as OpenAI's and Azure's servers judge and answer."""
