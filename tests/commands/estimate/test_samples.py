"""Requests with files: few of each class are asked about, and the others go by them."""

from hashlib import blake2b

from documents_sent import JPEG, PDF, PNG, part, request_of
from hypothesis import given
from hypothesis import strategies as st

from pipeline.commands.estimate.samples import ASKED, FileSamples, class_of


def request(row, tokens, *parts, place=0):
    key = blake2b(f"{row} {place}".encode(), digest_size=16).digest()
    return request_of(*(parts or (part(PDF),)), row=row, key=key, input_tokens=tokens)


def sampled(requests):
    samples = FileSamples()
    for one in requests:
        samples.add(one)
    return samples


def test_a_class_is_how_files_go_and_a_power_of_two():
    drawn, photo, pages = part(PNG, px=1300), part(JPEG), part(PDF, first=1, last=1)
    assert class_of(request(0, 1500, drawn)) == class_of(request(1, 1100, photo, drawn)) == ("pictures", 11)
    assert class_of(request(0, 1500, pages)) == ("pages", 11)
    assert class_of(request(0, 1500, pages, photo))[0] == "both"
    assert class_of(request(0, 2047))[1] == 11 != class_of(request(0, 2048))[1]


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 20_000)), min_size=1, max_size=120))
def test_ten_of_each_class_at_the_most_and_one_of_each_row(told):
    requests = [request(row, tokens, place=place) for place, (row, tokens) in enumerate(told)]
    samples = sampled(requests)
    by_class = {}
    for one in requests:
        by_class.setdefault(class_of(one), set()).add(one.row)
    chosen = {}
    for one in samples.chosen:
        chosen.setdefault(class_of(one), []).append(one.row)
    assert {name: min(ASKED, len(rows)) for name, rows in by_class.items()} == {n: len(r) for n, r in chosen.items()}
    assert all(len(rows) == len(set(rows)) for rows in chosen.values())
    assert {one.key for one in sampled(reversed(requests)).chosen} == {one.key for one in samples.chosen}
    doubled = {one.key: 2 * one.input_tokens for one in samples.chosen}
    assert samples.all_tokens(doubled) == 2 * sum(one.input_tokens for one in requests)


def test_each_class_goes_by_its_own():
    large, small = [request(row, 9000) for row in range(20)], [request(row, 900) for row in range(20, 50)]
    samples = sampled(large + small)
    counted = {one.key: one.input_tokens * (3 if one.input_tokens == 9000 else 1) for one in samples.chosen}
    assert (samples.requests, len(counted)) == (50, 20)
    assert samples.all_tokens(counted) == 20 * 27_000 + 30 * 900


def test_where_all_are_asked_about_their_counts_are_the_sum():
    few = [request(row, 900 + row) for row in range(9)]
    samples = sampled(few)
    assert samples.all_tokens({one.key: 1000 + one.row for one in few}) == sum(1000 + one.row for one in few)
    assert sampled([]).all_tokens({}) == 0
