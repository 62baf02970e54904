"""The user's model: as JSON schema, in a provider's dialect and back, and as one Arrow type."""
