"""Chat completions and Responses, as OpenAI's and Azure's servers judge and answer."""
