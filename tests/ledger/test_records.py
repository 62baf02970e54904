"""What is written comes back as it went in."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.codes import ErrorCode, Status
from pipeline.ledger import records
from pipeline.types import Outcome


@given(
    st.builds(
        Outcome,
        doc=st.binary(min_size=16, max_size=16),
        row=st.integers(0, 2**40),
        status=st.sampled_from([Status.OK, Status.FAILED]),
        records=st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=3).map(tuple),
        error_code=st.none() | st.sampled_from(ErrorCode),
        error=st.none() | st.text(st.characters(exclude_categories=["Cs"])),
        repaired=st.booleans(),
        conflicts=st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=2).map(tuple),
        chunks=st.integers(0, 999),
        chunks_skipped=st.integers(0, 999),
        chunk_numbers=st.lists(st.integers(0, 999), max_size=3).map(tuple),
        finish_reason=st.none() | st.just("stop"),
        model_version=st.none() | st.just("m"),
        latency_ms=st.none() | st.integers(0, 10**9),
        answer_from=st.none() | st.just("call"),
    )
)
def test_an_outcome_comes_back_as_it_went_in(value):
    """Values → columns → values is the identity; without what stands beside them they have nothing of that."""
    columns, beside = records.outcome_values(value, 1, 2)[:-1], records.beside_values(value)
    assert records.outcome_from((*columns, *beside)) == value
    assert records.outcome_from(columns) == replace(value, chunks_skipped=0, chunk_numbers=())
