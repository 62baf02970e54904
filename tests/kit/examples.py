"""How many examples Hypothesis tries: few and always the same, or many new ones to look for more.

HYPOTHESIS_PROFILE=explore make test
"""

import os

from hypothesis import settings

STEADY, EXPLORED = 100, 2000

# A slow machine is no failure, and what landed yesterday does not fail today by another draw.
settings.register_profile("steady", deadline=None, derandomize=True, max_examples=STEADY)
settings.register_profile("explore", deadline=None, max_examples=EXPLORED)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


def examples(count, **more):
    """For a test that is dearer than others, or needs more; in the same proportion when exploring."""
    return settings(max_examples=count * settings().max_examples // STEADY, **more)
