"""A known record and a found one, leaf by leaf."""

from each_case import each_case
from hypothesis import given
from hypothesis import strategies as st

from pipeline.commands.evaluate.compare import judged, unanswered
from pipeline.commands.evaluate.meanings import Free

KETTLE, PALLET = {"what": "kettle", "count": 12}, {"what": "pallet", "count": 1}
CASES = [
    ("equal", {"a": 1}, {"a": 1}, ["a right"]),
    ("other", {"a": 1}, {"a": 2}, ["a wrong"]),
    ("known, not found", {"a": 1}, {"a": None}, ["a missing"]),
    ("null is an answer", {"a": None}, {"a": None}, ["a right"]),
    ("made up", {"a": None}, {"a": 2}, ["a extra"]),
    ("left out: nobody asks", {"a": 1}, {"a": 1, "b": 2}, ["a right"]),
    ("nested", {"s": {"c": "x", "z": None}}, {"s": {"c": "x", "z": "1"}}, ["s.c right", "s.z extra"]),
    ("no such object", {"s": {"c": "x", "z": None}}, {"s": None}, ["s.c missing"]),
    ("an object made up", {"s": None}, {"s": {"c": "x", "z": None}}, ["s.c extra"]),
    ("no items, right", {"l": []}, {"l": []}, ["l[] right"]),
    ("no items, but found", {"l": []}, {"l": [PALLET]}, ["l[].what extra", "l[].count extra"]),
    ("order", {"l": [KETTLE, PALLET]}, {"l": [PALLET, KETTLE]}, ["l[].what right", "l[].count right"] * 2),
    (
        "matched, then compared",
        {"l": [KETTLE, PALLET]},
        {"l": [PALLET, {"what": "Kettle", "count": 12}]},
        ["l[].what wrong", "l[].count right", "l[].what right", "l[].count right"],
    ),
    (
        "an item too few",
        {"l": [KETTLE, PALLET]},
        {"l": [PALLET]},
        ["l[].what right", "l[].count right", "l[].what missing", "l[].count missing"],
    ),
    (
        "an item too many, of what is asked",
        {"l": [{"count": 1}]},
        {"l": [KETTLE, PALLET]},
        ["l[].count right", "l[].count extra"],
    ),
    ("scalars", {"t": ["a", "b"]}, {"t": ["c", "a"]}, ["t[] right", "t[] wrong"]),
    ("keys that are data", {"m": Free(a=1)}, {"m": Free(a=1, b=2)}, ["m.a right", "m.b extra"]),
    ("another form", {"m": Free(a=1)}, {"m": 3}, ["m wrong"]),
]


@each_case(("known", "found", "verdicts"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_verdicts(known, found, verdicts):
    assert [f"{one.at.path} {one.verdict}" for one in judged(known, found)] == verdicts


def test_a_place_is_named_on_both_sides():
    (_, other, *_) = judged({"l": [KETTLE]}, {"l": [PALLET, {"what": "kettle", "count": 11}]})
    assert (other.at.path, other.at.known, other.at.found) == ("l[].count", "l[0].count", "l[1].count")


def test_of_a_row_without_an_answer_nulls_are_missing_too():
    leaves = unanswered({"a": None, "l": [KETTLE, KETTLE], "t": []})
    assert [one.at.path for one in leaves] == ["a", "l[].what", "l[].count", "l[].what", "l[].count", "t[]"]


VALUES = st.none() | st.integers(0, 3) | st.text("ab", max_size=2)
ITEM = st.fixed_dictionaries({"x": VALUES, "y": VALUES, "z": st.lists(VALUES, max_size=3)})
RECORDS = st.fixed_dictionaries({"a": VALUES, "o": st.none() | ITEM, "l": st.lists(ITEM, max_size=4)})


@given(RECORDS, st.randoms(use_true_random=False))
def test_a_record_is_right_in_all_whatever_the_order_of_its_lists(record, random):
    shuffled = {**record, "l": random.sample(record["l"], len(record["l"]))}
    assert {str(one.verdict) for one in judged(record, shuffled)} == {"right"}


@given(RECORDS, RECORDS)
def test_what_is_wrong_is_so_from_both_sides(one, other):
    """Missing seen from here is extra seen from there; and no more is right."""
    there = {"missing": "extra", "extra": "missing"}
    here = sorted(str(leaf.verdict) for leaf in judged(one, other) if leaf.verdict != "right")
    back = sorted(str(leaf.verdict) for leaf in judged(other, one) if leaf.verdict != "right")
    assert bool(here) == bool(back)
    if not here:
        return
    assert {there.get(verdict, verdict) for verdict in here} & set(back)
