"""What is known of providers and models, as data: `providers` has one entry for each provider."""
