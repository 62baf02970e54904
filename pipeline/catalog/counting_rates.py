"""How fast the endpoints that count tokens may be asked: requests a minute of the lowest tier that is sold. Data only.

They cost nothing and have limits of their own: asking them takes nothing of what a run has left.
"""

ANTHROPIC = 2_000  # platform.claude.com, token counting: tier Start, 2026-08; 5,000 since, and less before a first tier
GEMINI = 3_000  # firebase.google.com, count tokens, 2026-08: of both Gemini APIs, whatever the quota of a model
BEDROCK = 600  # not documented (AWS' page of quotas names none for CountTokens, 2026-11-30): the cautious guess
