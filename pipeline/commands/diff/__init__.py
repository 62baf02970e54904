"""`pipeline diff`: what changed between two outputs, by field and row."""
