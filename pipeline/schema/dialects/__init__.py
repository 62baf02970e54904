"""What each provider takes of JSON Schema: rewritten for it, with the way back made in the same step."""
