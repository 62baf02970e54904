"""Who asks for the limits of an account: runs take turns, and within a run retries go before new rows. Pure."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

from msgspec import Struct

from pipeline.admission.charges import Need

Run = TypeVar("Run", bound=Hashable)
Key = TypeVar("Key", bound=Hashable)


class Asked(Struct, Generic[Run, Key], frozen=True):
    """A call that waits for its limits; `key` is its name in its run."""

    run: Run
    key: Key
    need: Need


class _Line(Generic[Key]):
    """Of one run, in order of arrival."""

    def __init__(self) -> None:
        self.retries: OrderedDict[Key, Need] = OrderedDict()
        self.new: OrderedDict[Key, Need] = OrderedDict()


class Lines(Generic[Run, Key]):
    """Of all runs that ask. The head stays the head until it is served or leaves: a large call is not passed over."""

    def __init__(self) -> None:
        self._lines: OrderedDict[Run, _Line[Key]] = OrderedDict()  # whose turn it is comes first; none is empty

    def add(self, run: Run, key: Key, need: Need, *, retry: bool) -> None:
        """At the end of its run's line; a run that had none comes last."""
        line = self._lines.setdefault(run, _Line())
        (line.retries if retry else line.new)[key] = need

    def drop(self, run: Run, key: Key) -> bool:
        """It has given up; whether it was there."""
        line = self._lines.get(run)
        found = line is not None and (line.retries.pop(key, None) or line.new.pop(key, None)) is not None
        self._tidy(run)
        return found

    def leave(self, run: Run) -> None:
        """The run is gone."""
        self._lines.pop(run, None)

    def head(self) -> Asked[Run, Key] | None:
        """Who is next."""
        for run, line in self._lines.items():
            key, need = next(iter((line.retries or line.new).items()))
            return Asked(run, key, need)
        return None

    def served(self) -> None:
        """The head has what it asked for: it is the next run's turn."""
        for run, line in self._lines.items():
            (line.retries or line.new).popitem(last=False)
            self._lines.move_to_end(run)
            self._tidy(run)
            return

    def _tidy(self, run: Run) -> None:
        line = self._lines.get(run)
        if line is not None and not (line.retries or line.new):
            del self._lines[run]
