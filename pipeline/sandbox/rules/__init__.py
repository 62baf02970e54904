"""What the sandbox answers: rules in the place of a model."""
