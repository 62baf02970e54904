"""What every request of a job has in common. Pure."""

from msgspec import Struct

from pipeline.documents.page_chunks import PageBounds
from pipeline.documents.select import Query
from pipeline.extraction.template import Template
from pipeline.types import Tool, Turn


class Examples(Struct, frozen=True):
    """The job's own questions and answers, that stand before the document in every request for a record."""

    turns: tuple[Turn, ...] = ()
    tokens: int = 0  # of all of them, as counted, with what is around each
    bytes: int = 0


class Plan(Struct, frozen=True):
    """What every request of a job has in common."""

    system: str
    template: Template
    max_output_tokens: int
    output_ceiling_tokens: int  # what a truncated answer's cap may be raised to
    fixed_tokens: int  # a request with an empty document, examples included, as counted
    fixed_bytes: int  # the same as sent
    chunk_tokens: int  # the most that a chunk may have
    overlap_tokens: int
    request_hash: bytes
    outcome_salt: bytes
    two_step: bool = False  # a free reading first, then its form
    reading_system: str = ""  # the system prompt of that reading: what to look for
    summary_tokens: int = 0  # the cap of the running summary that goes with each chunk; 0: none does
    window_chunks: int = 0  # how many of the chunks before, whose records go with each chunk; 0: none do
    window_tokens: int = 0  # the most that these may have
    examples: Examples = Examples()
    page_bounds: PageBounds = PageBounds()  # of calls about files
    page_plan: tuple[int, int] = (0, 0)  # documents.pages_per_call and overlap_pages, as the job has them
    key_columns: tuple[str, ...] = ()  # beside those that the prompt names: what routes look at
    select: int = 0  # the most chunks of a document that are asked about; 0: all
    words_asked: Query = ()  # which of them are
    lookups: tuple[Tool, ...] = ()  # what the model may ask for, at most `rounds` times
    rounds: int = 0
    input_most: int = 0  # tokens of input that the model refuses, with room to spare; 0: not known

    @property
    def in_turn(self) -> bool:
        """Whether each chunk of a row waits for the one before it."""
        return self.summary_tokens > 0 or self.window_chunks > 0
