"""generateContent, as its servers judge and answer."""
