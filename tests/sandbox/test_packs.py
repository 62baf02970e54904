"""Questions about several documents: the sandbox reads each by itself, and is wrong about lists as models are."""

import json

from each_case import each_case

from pipeline.extraction.packs import apart, words
from pipeline.job.settings import Sandbox
from pipeline.sandbox.answers import answered
from pipeline.sandbox.exchange import Question, Rules
from pipeline.sandbox.faults import Drawn, Fault
from pipeline.sandbox.prefixes import Prefixes
from pipeline.sandbox.rules.rules import extract, read, repair
from pipeline.schema.listed import listed
from pipeline.types import Stop

RULES = Rules(extract, repair, read)
THING = {
    "type": "object",
    "properties": {"invoice_number": {"type": "string"}, "gross_total": {"$ref": "#/$defs/Amount"}},
    "required": ["invoice_number", "gross_total"],
    "$defs": {"Amount": {"type": "string", "format": "decimal"}},
}
TEXTS = [f"Invoice\nInvoice number: A-{n}\nTotal due: EUR {n}.50\n" for n in range(1, 4)]


def asked(fault=Fault.NONE, variant=0, **changes):
    question = Question(
        model="m", document=words(None, TEXTS, b"k"), prompt_tokens=10, cap_tokens=None, schema=listed(THING)
    )
    drawn = Drawn(fault, variant, 0.0, "t")
    question = type(question)(**{**{name: getattr(question, name) for name in question.__struct_fields__}, **changes})
    return answered(RULES, Prefixes(), question, drawn, now_s=0.0, unix_s=0.0)


def test_each_document_is_answered_as_if_it_was_alone():
    found = apart(asked().text, Stop.DONE, len(TEXTS))
    alone = [asked(document=text, schema=THING).text for text in TEXTS]
    assert [json.loads(text) for text in found] == [json.loads(text) for text in alone]
    assert [json.loads(text)["invoice_number"] for text in found] == ["A-1", "A-2", "A-3"]


@each_case("variant", range(16))
def test_an_answer_that_is_spoiled_is_no_list_or_holds_one_bad_record(variant):
    found = apart(asked(Fault.INVALID_OUTPUT, variant).text, Stop.DONE, len(TEXTS))
    if variant // 4 % 2:
        alone = [json.loads(asked(document=text, schema=THING).text) for text in TEXTS]
        assert sum(json.loads(text) != one for text, one in zip(found, alone, strict=True)) == 1
    else:
        assert found is None


def test_a_schema_without_a_list_is_answered_as_ever():
    """Also where a document holds the words that stand before several."""
    assert set(json.loads(asked(schema=THING).text)) == {"invoice_number", "gross_total"}
    assert json.loads(asked(document=TEXTS[0]).text).keys() == {"answers"}


def test_a_night_in_the_sandbox_with_packs(job):
    """Every fault at once; all rows end well, and the files hold together."""
    rows = [{"id": f"r{n}", "text": f"Name: Mill {n}\nTotal: {n}.50"} for n in range(60)]
    faults = {"throttled": 0.05, "server_error": 0.05, "invalid_output": 0.2, "truncated": 0.1, "refused": 0.05}
    model = {"provider": "sandbox", "base_url": "", "max_output_tokens": 100}
    settings = {"seed": Sandbox().seed + 3, **faults}
    job.write("", rows=rows, model=model, chunks={"pack": 8}, sandbox=settings, limits={"max_failed_share": 1.0}).run()
    manifest = job.reconcile()
    assert manifest["packs"]["apart"] > 0
    assert manifest["rows"]["ok"] > 50
    job.pipeline("verify", job.out, code=0)
