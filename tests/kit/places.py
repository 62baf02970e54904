"""Where things are, wherever a test stands."""

from pathlib import Path

REPO = Path(__file__).parents[2]
RECORDINGS = REPO.parent / "shared" / "recordings"
