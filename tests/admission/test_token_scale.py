"""What an input is reserved at: the densest way of counting seen so far, and 15 % on top; and what is billed then."""

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_server import Scripted

import pipeline
from pipeline.admission.token_scale import TokenScale
from pipeline.extraction.prepare import prepare
from pipeline.money import worst_case_usd

OBSERVED = st.lists(st.tuples(st.integers(-1, 10**6), st.integers(-1, 10**7)), max_size=20)


class Sized:
    """A request by its sizes."""

    tenant = None
    max_output_tokens = 100

    def __init__(self, tokens, file_tokens=0, ceiling=0):
        self.input_tokens = tokens
        self.input_tokens_ceiling = ceiling or 9 * tokens
        self.file_tokens = file_tokens


@given(OBSERVED, st.integers(1, 10**6))
def test_an_input_is_reserved_at_the_highest_ratio_of_all_time_and_15_percent_on_top(observed, tokens):
    """Whatever was seen after it; until something was seen, at its bytes."""
    scale = TokenScale()
    for counted, reported in observed:
        scale.observe(counted, reported)
    ratios = [reported / counted for counted, reported in observed if counted > 0 and reported > 0]
    if ratios:
        assert scale.ceiling(Sized(tokens)) >= int(tokens * max(ratios) * 1.15)
    else:
        assert scale.ceiling(Sized(tokens)) == 9 * tokens


@given(OBSERVED, st.integers(1, 10**6))
def test_what_is_reserved_never_becomes_less(observed, tokens):
    scale, ceilings = TokenScale(), []
    for counted, reported in observed:
        scale.observe(counted, reported)
        if scale.text.seen:
            ceilings.append(scale.ceiling(Sized(tokens)))
    assert all(later >= earlier for earlier, later in pairwise(ceilings))


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 10**6), st.integers(1, 10**7)), max_size=20))
def test_text_and_files_teach_nothing_of_each_other(observed):
    """And a file is reserved at its ceiling, whatever was seen before it that was not above its own."""
    scale, texts, files = TokenScale(), TokenScale(), TokenScale()
    for of_file, counted, reported in observed:
        ceiling = max(counted, reported) if of_file else 0
        scale.observe(counted, reported, ceiling)
        (files if of_file else texts).observe(counted, reported, ceiling)
    text, scan = Sized(1000), Sized(1000, 900, 70_000)
    assert scale.expected(text) == texts.expected(text)
    assert scale.ceiling(text) == texts.ceiling(text)
    assert scale.expected(scan) == files.expected(scan)
    assert scale.ceiling(scan) == scale.blind_ceiling(scan) == 70_000


@given(st.lists(st.tuples(st.integers(1, 10**6), st.integers(1, 10**7)), max_size=20), st.integers(1, 10**6))
def test_where_files_are_billed_above_their_ceilings_these_are_raised_for_good(observed, ceiling):
    scale, ceilings = TokenScale(), []
    for most, reported in observed:
        scale.observe(most, reported, most)
        ceilings.append(scale.ceiling(Sized(1000, 900, ceiling)))
        assert ceilings[-1] >= max(ceiling, int(ceiling * reported / most))
    assert all(later >= earlier for earlier, later in pairwise(ceilings))
    assert scale.ceiling(Sized(1000)) == 9000


@pytest.mark.parametrize(
    ("ratios", "reserved_at"),
    [
        pytest.param((1.0, 1.0, 1.0, 1.14), 1.0, id="a document denser than all before"),
        pytest.param((1.3, 1.0, 1.0, 1.3), 1.15, id="one as dense as the first, after others"),
    ],
)
def test_the_bill_is_never_above_the_cap_however_the_provider_counts(job, server, ratios, reserved_at):
    """The cap leaves room for a call at `reserved_at`, and less than the next one costs: it must not leave."""
    rows = [{"id": f"r{n}", "text": f"{n} " + "alpha beta gamma delta " * 500} for n in range(len(ratios))]
    job.write(server.url, rows=rows, limits={"concurrency": 1}, model={"max_output_tokens": 20})
    loaded = pipeline.Job.load(job.file)
    tokens, rate = pipeline.estimate(loaded).input_tokens / len(rows), prepare(loaded).rate
    costs = [worst_case_usd(round(tokens * ratio), 20, rate) for ratio in ratios]
    server.script = lambda document, nth, body: Scripted(usage=(round(tokens * ratios[int(document.split()[0])]), 20))
    cap = sum(costs[:-1]) + worst_case_usd(round(tokens * reserved_at) + 20, 20, rate)
    assert cap < sum(costs)
    job.run("--max-usd", f"{cap:f}", code=3)
    billed = sum((costs[n] for n in range(server.sent)), Decimal(0))
    assert billed <= cap
    assert server.sent == len(rows) - 1
