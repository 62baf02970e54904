"""Counts are tiktoken's, from the package's own data, with no network and no trace on disk."""

import base64
import hashlib
import inspect
import os
import re
import subprocess
import sys
import types
from itertools import pairwise
from pathlib import Path

import pytest
import tiktoken
from each_case import each_case
from hypothesis import example, given
from hypothesis import strategies as st
from tiktoken_ext import openai_public

from pipeline.documents import tokens
from pipeline.documents.tokens import MAX_BLANKS, counter_for, vocabulary
from pipeline.text import repaired

O200K = counter_for("openai", "gpt-4o-mini")
CL100K = counter_for("openai", "gpt-4")
CLAUDE = counter_for("anthropic", "claude-sonnet-5")
PIECES = st.sampled_from(
    [
        "The fox. ",
        "12.50 EUR\n",
        "\n\n",
        "\r\n",
        "  ",
        "\t",
        "我们。",
        "ไทยไม่มี",
        "👩‍👩‍👧‍👦",
        "e\u0301",
        "<|endoftext|>",
        "QmFzZTY0",
        "\ud800",
        "'s",
    ]
)
TEXTS = st.one_of(st.text(max_size=40), st.lists(PIECES, max_size=30).map("".join))


def tiktokens_own(name, ranks):
    """The encoding as tiktoken's constructor makes it, with its download replaced by `ranks`."""
    constructor = openai_public.ENCODING_CONSTRUCTORS[name]
    offline = types.FunctionType(
        constructor.__code__, {**vars(openai_public), "load_tiktoken_bpe": lambda *_, **__: ranks}
    )
    return tiktoken.Encoding(**offline())


@pytest.fixture(scope="module", params=["o200k_base", "cl100k_base"])
def pair(request):
    """Our vocabulary, and tiktoken's own encoding over the same ranks."""
    ours = vocabulary(request.param)
    return ours, tiktokens_own(request.param, ours.encoding._mergeable_ranks)


@pytest.mark.parametrize("name", ["o200k_base", "cl100k_base"])
def test_the_data_is_the_published_file(name):
    """Written out again, our data has the SHA-256 that the installed tiktoken expects of its download."""
    ranks = vocabulary(name).encoding._mergeable_ranks
    lines = b"".join(base64.b64encode(token) + b" %d\n" % rank for token, rank in ranks.items())
    found = hashlib.sha256(lines).hexdigest()
    assert found == tokens._encodings()[name]["published_sha256"]
    assert found in inspect.getsource(openai_public.ENCODING_CONSTRUCTORS[name])


def test_ids_are_tiktokens(pair):
    """The same ids as tiktoken's own encoding for any text."""
    ours, own = pair

    @given(TEXTS)
    def check(text):
        assert [token for ids in ours.ids(text) for token in ids] == own.encode_ordinary(text)

    check()


@pytest.mark.parametrize(
    ("text", "o200k", "cl100k"),
    [
        ("", 0, 0),
        ("hello world", 2, 2),
        ("antidisestablishmentarianism", 6, 6),
        ("2 + 2 = 4", 7, 7),
        ("お誕生日おめでとう", 8, 9),
        ("<|endoftext|>", 7, 7),
    ],
)
def test_known_counts(text, o200k, cl100k):
    """Counts that are public knowledge; the name of a special token is ordinary text."""
    assert O200K.count(text) == o200k
    assert CL100K.count(text) == cl100k


OFFLINE = """
import sys
def forbid(event, args):
    if event.startswith(("socket.", "subprocess.", "os.mkdir", "os.rename")):
        raise SystemExit(f"{event} {args}")
    if event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
        raise SystemExit(f"{event} {args}")
sys.addaudithook(forbid)
from pipeline.documents.tokens import counter_for
print(counter_for("openai", "gpt-4o").count("hello world"), counter_for("openai", "gpt-4").count("hello world"))
"""


def test_it_opens_no_socket_and_writes_no_file(tmp_path):
    """In an empty home, with sockets, folders and writing forbidden to the interpreter, both encodings load."""
    environment = {
        "HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path.cwd()),
        "TMPDIR": str(tmp_path),
    }
    command = [sys.executable, "-B", "-W", "error", "-c", OFFLINE]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("2 2\n", "")
    assert list(tmp_path.iterdir()) == []


def test_damaged_data_is_refused(monkeypatch):
    """A vocabulary that is not the one we packed is an error that says what to do, never a wrong count."""
    about = {"o200k_base": {**tokens._encodings()["o200k_base"], "sha256": "0" * 64}}
    monkeypatch.setattr(tokens, "_encodings", lambda: about)
    with pytest.raises(RuntimeError, match="install the package again"):
        vocabulary.__wrapped__("o200k_base")


@given(TEXTS, st.sampled_from([O200K, CL100K, CLAUDE]))
@example("", CLAUDE)
@example("a", CLAUDE)
def test_ends_agree_with_the_count(text, counter):
    """One end for each token, ascending to the last byte; never more tokens than bytes."""
    ends, size = list(counter.ends(text)), len(repaired(text).encode())
    assert len(ends) == counter.count(text) <= size
    assert ends == sorted(ends)
    assert not text or ends[-1] == size


@given(TEXTS)
def test_ends_are_where_tokens_end(text):
    """The bytes between two ends are the token's bytes."""
    data = repaired(text).encode()
    ids = [token for piece in vocabulary("o200k_base").ids(text) for token in piece]
    found = [data[start:end] for start, end in pairwise([0, *O200K.ends(text)])]
    assert found == [vocabulary("o200k_base").encoding.decode_single_token_bytes(token) for token in ids]


@given(TEXTS)
def test_an_estimate_is_never_below_what_it_scales(text):
    """A factor only ever adds tokens, up to one for each byte."""
    inner = O200K.count(text)
    assert inner <= CLAUDE.count(text) == min(-(-inner * 8 // 5), len(repaired(text).encode()))


@pytest.mark.parametrize(("counter", "blanks"), [(O200K, " \t \n"), (O200K, "\t"), (CL100K, " ")])
def test_a_million_blanks_are_counted(counter, blanks):
    """A run that overflows tiktoken's stack (a panic that is no Exception) is counted in pieces."""
    text = f"x{blanks * (1_100_000 // len(blanks))}y"
    assert len(counter.ends(text)) > 8_000


@pytest.mark.parametrize("blank", [" ", " \t", "\t\u00a0 "])
def test_counting_in_pieces_counts_the_same(blank):
    """Where tiktoken can still do it in one, the pieces count the same within two tokens for each cut."""
    ours = vocabulary("o200k_base")
    for size in (MAX_BLANKS - 1, MAX_BLANKS + 1, 700_001):
        text = f"Total{(blank * size)[:size]}12.50 EUR"
        difference = sum(map(len, ours.ids(text))) - len(ours.encoding.encode_ordinary(text))
        assert abs(difference) <= 2 * (size // MAX_BLANKS)


@each_case(
    ("provider", "model", "name", "exact"),
    [
        ("openai", "gpt-4o-mini", "o200k_base", True),
        ("openai", "gpt-5.4-nano", "o200k_base", True),
        ("openai", "o3", "o200k_base", True),
        ("openai", "ft:gpt-4o-mini-2024-07-18:acme::x1", "o200k_base", True),
        ("openai", "gpt-4-turbo", "cl100k_base", True),
        ("azure", "gpt-35-turbo", "cl100k_base", True),
        ("bedrock", "openai.gpt-oss-120b-1:0", "o200k_base", True),
        ("openai", "gpt-6-sol", "o200k_base", False),
        ("openai", "text-davinci-003", "o200k_base", False),
        ("sandbox", "anything", "o200k_base", False),
        ("anthropic", "claude-sonnet-4-5-20250929", "o200k_base x 1.35", False),
        ("anthropic", "claude-opus-4-7", "o200k_base x 1.6", False),
        ("bedrock", "us.anthropic.claude-3-5-haiku-20241022-v1:0", "o200k_base x 1.35", False),
        ("bedrock", "amazon.nova-lite-v1:0", "o200k_base x 1.6", False),
        ("vertex", "claude-sonnet-5@20260630", "o200k_base x 1.6", False),
        ("gemini", "gemini-2.5-flash", "o200k_base x 1.35", False),
        ("openai", "mistralai/Mistral-Small-3", "o200k_base x 1.3", False),
    ],
)
def test_the_counter_of_a_model(provider, model, name, exact):
    """OpenAI's by tiktoken's table; other makers' by a factor wherever they run; only the former count as exact."""
    counter = counter_for(provider, model)
    assert (counter.name, counter.exact) == (name, exact)


def test_no_address_is_in_the_data_folder():
    """The data says where it comes from in words and names no host."""
    for file in (tokens.files("pipeline.documents") / "vocabulary").iterdir():
        assert not re.search(rb"https?://", file.read_bytes()) or file.name.endswith(".zlib")
