"""What the answers of listing endpoints mean, whoever's they are. Without a server: a look is a conversation."""

import pytest

from pipeline.errors import CallFailed, Kind
from pipeline.job.settings import Model
from pipeline.providers.anthropic.listing import failure as anthropic
from pipeline.providers.bedrock.listing import failure_of as bedrock
from pipeline.providers.gemini.listing import failure as gemini
from pipeline.providers.listing import NOT_OF_TEXT, Shut, absent, not_there, place_of, thing_at, windows
from pipeline.providers.openai.listing import failure as openai
from pipeline.types import HttpAnswer

MODEL = Model(provider="gemini", name="gemini-2.5-flash", max_output_tokens=100)
PLACE = place_of("https://user:pw@h.example/v1", MODEL, "model.base_url", openai)


def test_a_place_shows_no_password():
    assert PLACE.host == "h.example"
    assert "GEMINI_API_KEY" in PLACE.key


def asked(told):
    """What comes of one question: a value, or the finding that ends it all."""
    asking = thing_at("http://h/", PLACE)
    next(asking)
    try:
        asking.send(told)
    except StopIteration as ended:
        return ended.value
    except Shut as shut:
        return shut.finding
    raise AssertionError("a second question")


FAILED = {
    (Kind.CONNECTION, None): ("host", "problem"),
    (Kind.TIMEOUT, None): ("host", "problem"),
    (Kind.NO_ANSWER, None): ("host", "problem"),
    (Kind.NO_ANSWER, 200): ("host", "problem"),
    (Kind.AUTH, None): ("key", "problem"),
}


@pytest.mark.parametrize(("kind", "status"), FAILED)
def test_what_never_came(kind, status):
    finding = asked(CallFailed(kind, "words", status))
    assert (finding.what, finding.level) == FAILED[kind, status]
    assert "words" in finding.detail


ANSWERED = {
    401: ("key", "problem"),
    402: ("account", "problem"),
    403: ("access", "problem"),
    429: ("host", "warning"),
    500: ("host", "warning"),
    529: ("host", "warning"),
    307: ("host", "problem"),
    418: ("host", "warning"),
}


@pytest.mark.parametrize("status", ANSWERED)
def test_each_status_has_one_meaning(status):
    finding = asked(HttpAnswer(status, {}, b'{"error": {"message": "words"}}'))
    assert (finding.what, finding.level) == ANSWERED[status]


@pytest.mark.parametrize(
    "words",
    [
        "API key not valid. Please pass a valid API key.",
        "UnrecognizedClientException: The security token included in the request is invalid.",
        "The request signature we calculated does not match the signature you provided.",
        "Authentication failed: Please make sure your API Key is valid.",
        "Method doesn't allow unregistered callers",
    ],
)
def test_a_403_that_speaks_of_the_key_is_of_the_key(words):
    """AWS and Google have no 401 for all of them."""
    failed = HttpAnswer(403, {}, b'{"error": {"message": "%b"}}' % words.encode())
    assert asked(failed).what == "key"


@pytest.mark.parametrize("body", [b"", b"<html>", b"null", b"[]", b"ok", b'{"error": {"message": "no"}}'])
def test_a_200_that_is_no_object_is_no_api(body):
    assert asked(HttpAnswer(200, {}, body)).level == "problem"


PATHS = [b'{"detail":"Not Found"}', b"<html>x", b"", b"404 page not found", b'{"message":"no Route matched"}',
         b'{"error":{"message":"Not found"}}', b'{"error":{"message":"Unknown request URL: GET /v1/models/x"}}',
         b"Cannot GET /v1/models/x"]  # fmt: skip
MODELS = [
    (openai, b'{"error":{"message":"The model `x` does not exist","code":"model_not_found"}}'),
    (openai, b'{"error":{"message":"model x not found"}}'),
    (anthropic, b'{"type":"error","error":{"type":"not_found_error","message":"model: x"}}'),
    (gemini, b'{"error":{"code":404,"status":"NOT_FOUND","message":"models/x is not found"}}'),
    (bedrock, b'{"message":"The provided inference profile does not exist."}'),
]


@pytest.mark.parametrize("body", PATHS)
@pytest.mark.parametrize("failure", [openai, anthropic, gemini, bedrock])
def test_a_404_of_an_address_is_no_404_of_a_model(failure, body):
    """A warning, of a server that is not the provider's own; the provider has listings, so there it is of the model."""
    failed = failure(HttpAnswer(404, {}, body))
    assert not not_there(failed)
    assert absent("model", "x", (), failed, PLACE, elsewhere=True)[0].level == "warning"
    assert absent("model", "x", (), failed, PLACE, elsewhere=False)[0].level == "problem"
    assert absent("model", "x", ["xy"], failed, PLACE, elsewhere=True)[0].level == "problem"


@pytest.mark.parametrize(("failure", "body"), MODELS)
def test_a_404_of_a_model_is_believed_of_any_server(failure, body):
    failed = failure(HttpAnswer(404, {}, body))
    assert absent("model", "x", (), failed, PLACE, elsewhere=True)[0].level == "problem"


@pytest.mark.parametrize(
    ("name", "told", "levels"),
    [
        ("gemini-2.5-flash", (1_048_576, 65_536), []),
        ("gemini-2.5-flash", (0, 0), []),
        ("gemini-2.5-flash", (500_000, 65_536), ["warning"]),
        ("gemini-2.5-flash", (2_000_000, 65_536), ["warning"]),
        ("gemini-2.5-flash", (500_000, 8_192), ["warning", "warning"]),
        ("nobody-knows-it", (32_000, 4_096), ["warning"]),
        ("gemini-2.5-flash", (1_048_576, 50), ["problem", "warning"]),
    ],
)
def test_a_window_that_is_not_as_our_table_has_it(name, told, levels):
    """The table rounds down, which is no difference; an output cap beyond what is told would be refused."""
    model = Model(provider="gemini", name=name, max_output_tokens=100)
    assert [one.level for one in windows(model, *told)] == levels


@pytest.mark.parametrize(
    ("name", "of_text"),
    [
        ("text-embedding-3-small", False),
        ("whisper-1", False),
        ("gpt-4o-mini-tts", False),
        ("gpt-4o-realtime-preview", False),
        ("omni-moderation-latest", False),
        ("dall-e-3", False),
        ("gpt-4o-mini", True),
        ("gpt-5.1-codex", True),
        ("o4-mini", True),
        ("my-embedder-of-invoices", True),
        ("ft:gpt-4o-mini:acme:tts:1", True),
    ],
)
def test_models_that_answer_with_no_text(name, of_text):
    assert (NOT_OF_TEXT.search(name) is None) == of_text
