"""Which requests with files the provider is asked to count, and what their counts say of the others. Pure.

A file's count takes an upload: ten of each form and size are asked about, and the others of it go by our own formula
times what these ten came to. Which ten is chance, and the same every time: those whose hashes are the lowest.
"""

from bisect import insort
from collections.abc import Mapping

from msgspec import Struct, field

from pipeline.parts import files_of
from pipeline.types import Request

ASKED = 10  # of each class, and one of each row
Class = tuple[str, int]  # form, and the power of two that its tokens are below


class _Of(Struct):
    """What was seen of one class."""

    tokens: int = 0  # of all its requests, by our count
    kept: list[tuple[bytes, int]] = field(default_factory=list)  # key and row, the lowest keys first


class FileSamples:
    """Of all requests that hold files."""

    def __init__(self) -> None:
        self.requests = 0
        self._classes: dict[Class, _Of] = {}
        self._held: dict[bytes, Request] = {}

    def add(self, request: Request) -> bool:
        """Whether it is chosen, as far as is known yet."""
        self.requests += 1
        of = self._classes.setdefault(class_of(request), _Of())
        of.tokens += request.input_tokens
        if request.key not in self._held:
            self._keep(of, request)
        return request.key in self._held

    def _keep(self, of: _Of, request: Request) -> None:
        insort(of.kept, (request.key, request.row))
        self._held[request.key] = request
        of_row = [key for key, row in of.kept if row == request.row]
        surplus = of_row[1:] or [key for key, _ in of.kept[ASKED:]]
        for key in surplus:
            del self._held[key]
        of.kept = [(key, row) for key, row in of.kept if key in self._held]

    @property
    def chosen(self) -> tuple[Request, ...]:
        return tuple(self._held.values())

    def all_tokens(self, counted: Mapping[bytes, int]) -> int:
        """Of all requests, by what those of `chosen` came to, by their keys."""
        return round(sum(of.tokens * self._ratio(of, counted) for of in self._classes.values()))

    def _ratio(self, of: _Of, counted: Mapping[bytes, int]) -> float:
        ours = sum(self._held[key].input_tokens for key, _ in of.kept)
        return sum(counted[key] for key, _ in of.kept) / ours if ours else 1.0


def class_of(request: Request) -> Class:
    """Requests of one class are billed by one rule, and none is twice as large as another."""
    files = [part for turn in request.turns for part in files_of(turn.parts)]
    drawn = {part.px > 0 or part.media_type.startswith("image/") for part in files}
    form = "both" if len(drawn) > 1 else "pictures" if True in drawn else "pages"
    return form, request.input_tokens.bit_length()
