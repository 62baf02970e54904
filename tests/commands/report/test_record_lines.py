"""A record line by line: the JSON that it always was, and each value by the path that evidence has it by."""

import json

from hypothesis import given
from hypothesis import strategies as st

from pipeline.commands.report.record_lines import bounded, lines_of
from pipeline.extraction.evidence.leaves import values_in

VALUE = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
NAME = st.text("abc", min_size=1, max_size=3)
RECORD = st.dictionaries(
    NAME,
    st.recursive(
        VALUE, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAME, inner, max_size=3), max_leaves=8
    ),
    max_size=4,
)


@given(RECORD)
def test_lines_are_the_json_and_paths_those_of_evidence(record):
    """Nested lists and objects, empty ones too."""
    lines = list(lines_of(record))
    assert "\n".join(map(str, lines)) == json.dumps(record, indent=2, ensure_ascii=False)
    told = {line.path for line in lines if line.path}
    assert {one.path for one in values_in(record, {})} <= told


@given(RECORD, st.integers(0, 80))
def test_lines_are_bounded_and_what_is_cut_is_counted(record, most):
    """To the character."""
    lines = list(lines_of(record))
    shown, more = bounded(iter(lines), most)
    length = sum(len(str(line)) for line in shown)
    assert length <= most
    assert length + more == sum(map(len, map(str, lines)))


def test_columns_of_free_keys_are_objects():
    """They come as pairs from Arrow."""
    lines = list(lines_of({"extras": [("colour", "red")]}))
    assert [(line.path, line.value) for line in lines if line.path] == [("extras.colour", '"red"')]
