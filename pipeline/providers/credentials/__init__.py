"""What lets calls in: keys, and the clouds' chains of them."""
