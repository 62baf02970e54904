"""What people print: numbers and dates in their spellings, and the words that stand before them. Pure."""
