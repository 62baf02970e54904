"""How a provider's token counts compare with ours, learned from what its answers report. Pure."""

from typing import Protocol

from msgspec import Struct, field

SAFETY = 1.15  # over the largest ratio seen, for a document unlike those before
BLIND_SAFETY = 1.3  # before anything was seen, when the byte ceiling is too dear to reserve
SMOOTHING = 0.05


class Sized(Protocol):
    """What is estimated of a request; see `types.Request`."""

    @property
    def input_tokens(self) -> int: ...

    @property
    def input_tokens_ceiling(self) -> int: ...

    @property
    def max_output_tokens(self) -> int: ...

    @property
    def tenant(self) -> str | None: ...

    @property
    def standard_tier(self) -> bool: ...

    @property
    def file_tokens(self) -> int: ...


class Ratio(Struct):
    """Reported over estimated input tokens, of requests of one kind."""

    seen: int = 0
    mean: float = 1.0
    highest: float = 0.0

    def observe(self, input_tokens: int, reported_tokens: int) -> None:
        if reported_tokens <= 0 or input_tokens <= 0:
            return  # a server that reports no usage teaches nothing
        ratio = reported_tokens / input_tokens
        self.mean = ratio if self.seen == 0 else self.mean + SMOOTHING * (ratio - self.mean)
        self.highest = max(self.highest, ratio)
        self.seen += 1


class TokenScale(Struct):
    """The mean ratio paces. The highest reserves, of text alone: one text is counted much like another.

    What a picture is billed as says nothing of the next one: a file is reserved at its ceiling, whatever was seen
    below it. One that was billed above it says that the ceiling is none.
    """

    text: Ratio = field(default_factory=Ratio)
    files: Ratio = field(default_factory=Ratio)
    beyond: float = 1.0  # the most that a request with files was billed over its ceiling, with SAFETY on top

    def observe(self, input_tokens: int, reported_tokens: int, file_ceiling: int = 0) -> None:
        """`file_ceiling`: of a request with files, tokens."""
        (self.files if file_ceiling else self.text).observe(input_tokens, reported_tokens)
        if 0 < file_ceiling < reported_tokens:
            self.beyond = max(self.beyond, reported_tokens / file_ceiling * SAFETY)

    def expected(self, request: Sized) -> int:
        ratio = self.files if request.file_tokens else self.text
        return max(1, round(request.input_tokens * ratio.mean))

    def ceiling(self, request: Sized) -> int:
        """What the input can be billed for at the most: its bytes, until the provider's own counts are known."""
        if request.file_tokens:
            return int(request.input_tokens_ceiling * self.beyond)
        if self.text.seen == 0:
            return request.input_tokens_ceiling
        return int(request.input_tokens * self.text.highest * SAFETY) + 16

    def blind_ceiling(self, request: Sized) -> int:
        """For the very first call, which goes alone: a tighter guess where there is one to be had."""
        if request.file_tokens or self.text.seen:
            return self.ceiling(request)
        return int(request.input_tokens * BLIND_SAFETY) + 16
