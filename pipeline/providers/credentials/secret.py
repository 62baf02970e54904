"""What lets a call in, as a value that does not show itself, and takes itself out of whatever comes back."""

from dataclasses import dataclass, field

from pipeline.providers.credentials.spellings import hunt_for

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
        """`data` without any of the words, however they are spelled. What has none costs a few looks and no more."""
        words = self.words
        return hunt_for(words).cleared(data) if words else data

    def unsaid(self, text: str) -> str:
        """The same of a text."""
        return self.redacted(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


NONE = Secret("", public=True)
