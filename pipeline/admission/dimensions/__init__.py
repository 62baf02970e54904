"""What a provider limits, mirrored: one dimension, all of them together, and what was let in."""
