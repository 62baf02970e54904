"""What lets a call in, as a value that does not show itself, and takes itself out of whatever comes back."""

import json
from dataclasses import dataclass, field
from functools import lru_cache

SHORTEST = 6  # a shorter word would be taken out of texts that have nothing to do with it


@dataclass(frozen=True, slots=True)
class Secret:
    """`value` is an API key, a bearer token, or AWS's secret access key (then the other two go with it)."""

    value: str = field(repr=False)
    access_key_id: str = field(default="", repr=False)
    session_token: str = field(default="", repr=False)
    bearer: bool = False  # a token for `Authorization: Bearer`, where the provider's own keys go elsewhere
    public: bool = False  # the sandbox's: nothing to hide

    @property
    def words(self) -> tuple[str, ...]:
        """All that must never be shown."""
        if self.public:
            return ()
        return tuple(word for word in (self.value, self.access_key_id, self.session_token) if len(word) >= SHORTEST)

    def redacted(self, data: bytes) -> bytes:
        """`data` without any of the words, as they are or in the ways that JSON writes them."""
        for word in self.words:
            for spelling in _spellings(word):
                data = data.replace(spelling, b"[redacted]")
        return data


@lru_cache(maxsize=16)
def _spellings(word: str) -> tuple[bytes, ...]:
    escaped = json.dumps(word)[1:-1]
    return tuple(dict.fromkeys(one.encode() for one in (word, escaped, escaped.replace("/", "\\/"))))


NONE = Secret("", public=True)
