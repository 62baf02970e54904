"""The Messages API, as its servers judge and answer."""
