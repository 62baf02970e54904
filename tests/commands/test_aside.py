"""What is put aside comes back once, by its key, and what never does is told in order."""

from pipeline.commands.aside import aside, key_of


def test_the_first_put_aside_is_the_first_taken_and_each_is_taken_once():
    with aside() as kept:
        for value in ("first", "second"):
            kept.put(0, b"k", {"said": value})
        kept.put(1, b"k", "elsewhere")
        kept.put(0, b"other", None)
        assert kept.has(0, b"k")
        assert [kept.take(0, b"k") for _ in range(3)] == [{"said": "first"}, {"said": "second"}, None]
        assert not kept.has(0, b"k")
        assert list(kept.rest(0)) == [None]
        assert kept.take(1, b"k") == "elsewhere"


def test_a_key_is_of_a_row_and_its_chunk_whatever_the_id():
    """Ids are texts of others: also with half of a pair of surrogates."""
    keys = [key_of("1:a", None), key_of("a", 1), key_of("a", 11), key_of("\ud800", None), key_of("a", None)]
    assert len(set(keys)) == 5
