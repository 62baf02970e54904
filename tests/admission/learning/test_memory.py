"""What was learned is kept for the next night; garbage is not believed."""

import json
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from pipeline.admission.governor import Governor, LimitRules, Need, Ticket
from pipeline.admission.learning.memory import Memory, Remembered, read, written
from pipeline.types import Dimension

FREE = Decimal(0)


def governor(concurrency=1000, **rules):
    return Governor(LimitRules(concurrency=concurrency, **rules))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["lanes", "requests", "tokens", "per_minute", "even", "share", "x"]), inner)
    ),
    max_leaves=12,
)


@given(garbage=JSON)
def test_garbage_in_what_was_remembered_is_ignored(garbage):
    """Whatever JSON it is; what can be believed of it is used."""
    for found in (garbage, {"version": 1, "lanes": garbage}, {"version": 1, "lanes": {"requests": garbage}}):
        gov = governor(learned=found)
        assert isinstance(gov.offer(Need(1, 1, FREE), 0.0), Ticket)
        json.dumps(gov.learned(), allow_nan=False)


def test_what_is_written_is_read():
    """As it was."""
    lanes = {
        Dimension.REQUESTS: Remembered(1200.0),
        Dimension.TOKENS: Remembered(None, counted=True, even=True, share=0.99),
    }
    memory = Memory(91.0, 20.1, 58.9, lanes)
    assert read(json.loads(json.dumps(written(memory)))) == memory
    assert read({**written(memory), "version": 2}) == Memory()
