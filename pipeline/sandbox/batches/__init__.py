"""The providers' batch APIs, on a clock that can be turned. What it knows is in memory and in a temporary folder."""
