"""What an estimate goes by: the sums of what is to be sent, and what answers on record have used. Pure."""

from msgspec import Struct

from pipeline.types import Usage

LEAST_SEEN = 3  # for a line and its error


class Counts(Struct):
    """What one pass over the input has found so far. `requests` are those still to be sent, one for each chunk."""

    rows: int = 0
    bad_rows: int = 0
    done_rows: int = 0
    duplicate_rows: int = 0
    requests: int = 0
    input_tokens: int = 0
    document_tokens: int = 0
    fixed_tokens_per_request: int = 0
    free_requests: int = 0  # readings of `two_step`, running summaries of `rolling`, a round of look-ups
    free_input_tokens: int = 0  # of these, and of records of `window`, in input_tokens too
    free_output_tokens: int = 0
    provider_input_tokens: int | None = None  # the same as input_tokens, as the provider counts it
    file_requests: int = 0  # of requests, those with files
    skipped_chunks: int = 0  # that chunks.select leaves out
    skipped_input_tokens: int = 0  # of the requests that are not sent for them
    skipped_document_tokens: int = 0
    packs: int = 0  # requests about several rows by chunks.pack, instead of one for each of packed_rows
    packed_rows: int = 0
    packed_input_tokens: int = 0  # that are saved by it: input_tokens is without them

    @property
    def sent(self) -> int:
        """Requests as they leave."""
        return self.requests - self.packed_rows + self.packs

    @property
    def own_mean(self) -> float:
        """Input tokens of one request by our count, without readings, summaries and records of chunks before."""
        return (self.input_tokens - self.free_input_tokens) / self.requests if self.requests else 0.0

    @property
    def alone_mean(self) -> float:
        """The same as if no rows went together: how large what was seen is counted, by ourselves."""
        return self.own_mean + (self.packed_input_tokens / self.requests if self.requests else 0.0)


class Seen(Struct, frozen=True):
    """One question on record: its size by our count, what it used, and what asking again used."""

    own_tokens: float
    first: Usage
    again: Usage
    agains: int
    files: bool = False  # whether some went along


class History(Struct, frozen=True):
    """Answers on record for this very form of question, 3 at least. `own`: to this very input, counted by ourselves."""

    seen: tuple[Seen, ...]
    own: bool
    latency_s: float | None

    def like(self, counts: Counts) -> "History | None":
        """What it tells of questions with files, or without, if such are to be sent: neither says what others cost.

        None where of one sort it has too few.
        """
        files, texts = counts.file_requests > 0, counts.requests > counts.file_requests
        with_files = sum(one.files for one in self.seen)
        if (files and with_files < LEAST_SEEN) or (texts and len(self.seen) - with_files < LEAST_SEEN):
            return None
        if files == texts:
            return self
        return History(tuple(one for one in self.seen if one.files == files), self.own, self.latency_s)

    @property
    def cached_share(self) -> float:
        used = self.used
        return used.cached_input_tokens / used.input_tokens if used.input_tokens else 0.0

    @property
    def used(self) -> Usage:
        return sum((one.first + one.again for one in self.seen), Usage())
