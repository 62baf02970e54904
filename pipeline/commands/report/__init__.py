"""`pipeline report`: one self-contained page."""
