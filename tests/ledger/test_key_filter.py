"""Keys that are known to be absent are not looked for."""

from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from ledger_writes import call, use

from pipeline.ledger.key_filter import Keys
from pipeline.types import Answer, Stop, Usage


@given(st.lists(st.binary(min_size=16, max_size=16), max_size=50), st.binary(min_size=16, max_size=16))
@examples(20)  # each makes 8 MB
def test_keys_that_were_added_are_never_denied(added, other):
    """And a stranger mostly is."""
    keys = Keys()
    for key in added:
        keys.add(key)
    assert all(key in keys for key in added)
    assert other in added or other not in keys or len(added) > 3


def test_known_keys_change_no_answer(tmp_path):
    """Those of before, and those that come while they are being learned or after."""
    reply = Answer("{}", Stop.DONE, "stop", Usage(), None)

    async def before(ledger):
        await ledger.record(call(), b"a" * 16, reply)

    async def after(ledger):
        ledger.learn_keys(1)
        await ledger.record(call(), b"b" * 16, reply)
        assert await ledger.known_keys() is not None
        await ledger.record(call(), b"c" * 16, reply)
        assert [ledger.answer(letter * 16) is not None for letter in (b"a", b"b", b"c", b"d")] == [True] * 3 + [False]

    use(tmp_path, before)
    use(tmp_path, after)


def test_a_ledger_with_far_more_answers_than_rows_is_looked_into_as_before(tmp_path):
    """Reading all its keys would cost more than it saves."""

    async def script(ledger):
        for number in range(5):
            await ledger.record(call(), bytes([number]) * 16, Answer("{}", Stop.DONE, "stop", Usage(), None))
        ledger.learn_keys(1)
        assert await ledger.known_keys() is None
        assert ledger.answer(b"\x01" * 16) is not None

    use(tmp_path, script)
