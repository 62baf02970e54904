"""Which answers a ledger has, as a filter in memory: learned once, aside, while others are added."""

import asyncio
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from pipeline.ledger import queries
from pipeline.ledger.files import connect
from pipeline.ledger.key_filter import Keys
from pipeline.types import Answer


class AnswerKeys:
    """Knows nothing, and may have everything, until it has learned."""

    def __init__(self) -> None:
        self.known: Keys | None = None
        self._added: Keys | None = None  # the same while it is being filled
        self._filling: asyncio.Future[None] | None = None

    def learn(self, ledger: Path) -> None:
        """Begin to read all keys, in a thread."""
        self._added = Keys()
        self._filling = asyncio.get_running_loop().run_in_executor(None, self._fill, ledger, self._added)

    def _fill(self, ledger: Path, keys: Keys) -> None:
        with closing(connect(ledger, read_only=True)) as db:
            for key in queries.answer_keys(db):
                keys.add(key)
        self.known = keys

    def add(self, answers: Iterable[tuple[bytes, Answer]]) -> None:
        if self._added is not None:
            for key, _ in answers:
                self._added.add(key)

    def may_have(self, key: bytes) -> bool:
        return self.known is None or key in self.known

    async def whole(self) -> Keys | None:
        """Of all answers that are on record by now; None: it was not to learn them."""
        if self._filling is not None:
            await asyncio.shield(self._filling)
        return self.known
