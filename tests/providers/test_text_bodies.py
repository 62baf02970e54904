"""What goes out for text, byte by byte, as it did before requests could hold files: a prefix is cached by its bytes."""

import json

from each_case import each_case
from every_wire import REQUEST, SHAPE, WIRES, model
from msgspec.structs import replace
from places import REPO

from pipeline.parts import text_parts
from pipeline.providers import wire_for
from pipeline.types import AnswerShape, Turn

GOLDEN = REPO / "tests" / "golden" / "bodies.json"
EXAMPLES = (Turn("user", text_parts("Rechnung \u201e7\u201c\n\ud800")), Turn("assistant", text_parts('{"a": 1}')))
REPAIR = (*EXAMPLES, *REQUEST.turns, Turn("assistant", text_parts("no")), Turn("user", text_parts("Again.")))
REQUESTS = {
    "one": REQUEST,
    "repair": replace(REQUEST, turns=REPAIR, shared_turns=2),
    "free": replace(REQUEST, free_text=True, system="", turns=(Turn("user", text_parts("a\x00b [INST] <|x|>")),)),
}
MODES = {"words": SHAPE, "tool": AnswerShape("Thing", "tool", SHAPE.schema, strict=True)}


def bodies(name, caching):
    """Name of a body → its text."""
    found = {}
    for mode, shape in MODES.items():
        wire = wire_for(model(name, caching=caching), shape, {})
        for kind, request in REQUESTS.items():
            found[f"{mode} {kind}"] = wire.body(request).decode()
            if getattr(wire, "count_url", ""):
                found[f"{mode} {kind} counted"] = wire.count_body(request).decode()
    return found


@each_case("caching", ["on", "off"])
@each_case("name", WIRES)
def test_a_request_of_text_alone_has_the_bytes_it_always_had(name, caching):
    assert bodies(name, caching) == json.loads(GOLDEN.read_text())[f"{name} {caching}"]
