"""What of a conversation is the document, and what a complaint about the answer to it."""

from each_case import each_case

from pipeline.extraction.validate import repair_turns
from pipeline.parts import text_parts
from pipeline.sandbox.exchange import document_and_errors
from pipeline.types import Turn

ASKED, SHOWN, DONE = ("user", "a bill"), ("user", "an example"), ("assistant", '{"name":"x"}')
FIT = repair_turns([Turn("user", text_parts("a bill"))], '{"name":1}', ["name: Input should be a valid string"])
WRONG, COMPLAINT = (("assistant", FIT[1].text), ("user", FIT[2].text))


@each_case(
    ("turns", "document", "errors"),
    [
        ([ASKED], "a bill", None),
        ([ASKED, WRONG, COMPLAINT], "a bill", COMPLAINT[1]),
        ([ASKED, ("assistant", "{"), ("user", "no JSON")], "a bill", "no JSON"),
        ([SHOWN, DONE, ASKED], "a bill", None),
        ([SHOWN, DONE, SHOWN, DONE, ASKED], "a bill", None),
        ([SHOWN, DONE, ASKED, WRONG, COMPLAINT], "a bill", COMPLAINT[1]),
        ([SHOWN, DONE, ASKED, ("model", "[1]"), ("user", "no object")], "a bill", "no object"),
        ([ASKED, ("user", "and answer in JSON")], "a bill", None),
        ([("assistant", "{}")], "{}", None),
        ([ASKED, ("assistant", "{}")], "a bill", None),
    ],
)
def test_the_document_is_the_last_question(turns, document, errors):
    assert document_and_errors(turns) == (document, errors)
