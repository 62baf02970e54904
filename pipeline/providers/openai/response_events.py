"""The typed events of a Responses stream → the body that its answer would have had without streaming. Pure.

The last event holds the whole answer. Some servers leave the output out of it, or do not send it before [DONE]: then
the items count that were told to be done.
"""

from collections.abc import Mapping
from typing import Any

from pipeline.providers.json import items, mapping

ENDS = {"response.completed", "response.incomplete", "response.failed"}
ITEM_DONE = "response.output_item.done"


class ResponseEvents:
    """`begun`: there was an event. `first`: so was one that holds a piece of what the model makes."""

    def __init__(self) -> None:
        self.begun = self.first = self.ended = False
        self._response: Mapping[str, Any] = {}  # as it was told last
        self._done: list[Mapping[str, Any]] = []

    def take(self, kind: str, data: Mapping[str, Any]) -> None:
        self.begun = True
        self.first = self.first or kind.endswith(".delta")
        self._response = mapping(data.get("response")) or self._response
        self.ended = self.ended or kind in ENDS
        if kind == ITEM_DONE:
            self._done.append(mapping(data.get("item")))

    def body(self) -> dict[str, Any]:
        """What is known; without an end it has the status that it had on the way, unless all of an item is there."""
        if not self.begun:
            return {}
        told = dict(self._response)
        if self._done and not items(told.get("output")):
            told["output"] = self._done
            if not self.ended:
                told["status"] = "completed"
        return {"output": [], **told}
