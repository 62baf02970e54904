"""What a question is answered, by the rules and as its lot is: the same for live calls and for the lines of batches."""

import orjson

from pipeline.sandbox.exchange import Answer, Call, Ending, Question, Rules, cut, tokens_of
from pipeline.sandbox.faults import Drawn, Fault, spoiled
from pipeline.sandbox.lookups import asks, calls_of
from pipeline.sandbox.packs import pack_answered
from pipeline.sandbox.prefixes import Prefixes

REFUSAL = "I'm sorry, but I can't help with that."


def answered(
    rules: Rules, prefixes: Prefixes, question: Question, drawn: Drawn, *, now_s: float, unix_s: float
) -> Answer:
    """`now_s` is of the clock of `prefixes`; the answer was created at `unix_s`."""
    calls: tuple[Call, ...] = ()
    if drawn.fault is Fault.REFUSED:
        text, ending = REFUSAL, Ending.REFUSED
    elif asks(rules, question) and drawn.fault is not Fault.TRUNCATED:
        calls, ending = calls_of(rules, question), Ending.DONE
        text = "".join(one.name + one.arguments for one in calls)
    else:
        text, ending = _text(rules, question, drawn), Ending.DONE
    tokens, cap = tokens_of(text), question.cap_tokens
    if cap is not None and tokens > cap and ending is Ending.DONE:
        text, tokens, ending, calls = cut(text, cap), cap, Ending.TRUNCATED, ()
    elif drawn.fault is Fault.TRUNCATED:
        text, ending = text[: len(text) // 2], Ending.TRUNCATED
        tokens = cap or tokens_of(text)
    read, written = prefixes.use(question.prefix, now_s)
    return Answer(drawn.tag, text, ending, question.prompt_tokens, tokens, int(unix_s), read, written, calls)


def _text(rules: Rules, question: Question, drawn: Drawn) -> str:
    if question.schema is None:
        return rules.read(question.document, question.cap_tokens)
    if (of_several := pack_answered(rules.extract, question, drawn)) is not None:
        return of_several
    if question.errors is not None:
        record = rules.repair(question.document, question.schema, question.errors)
    else:
        record = rules.extract(question.document, question.schema)
    if drawn.fault is Fault.INVALID_OUTPUT:
        return spoiled(record, question.schema, drawn.variant)
    return orjson.dumps(record).decode()
