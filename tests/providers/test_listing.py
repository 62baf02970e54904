"""What the answers of listing endpoints mean, whoever's they are. Without a server: a look is a conversation."""

import json

import pytest
from each_case import each_case
from hypothesis import given
from hypothesis import strategies as st

from pipeline.commands.online import listing_for
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


@each_case("body", PATHS)
@each_case("failure", [openai, anthropic, gemini, bedrock])
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


@each_case(
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


LISTINGS = {
    "openai": Model(provider="openai", name="gpt-4o", max_output_tokens=9, base_url="http://h/v1"),
    "azure": Model(provider="azure", name="mine", max_output_tokens=9, base_url="http://h"),
    "anthropic": Model(provider="anthropic", name="claude-x", max_output_tokens=9),
    "bedrock": Model(provider="bedrock", name="a.b", max_output_tokens=9, region="us-east-1", stream=True),
    "bedrock profile": Model(provider="bedrock", name="us.a.b", max_output_tokens=9, region="us-east-1"),
    "gemini": Model(provider="gemini", name="gemini-x", max_output_tokens=9),
    "vertex": Model(provider="vertex", name="gemini-x", max_output_tokens=9, project="p"),
    "vertex endpoint": Model(provider="vertex", name="endpoints/1", max_output_tokens=9, project="p"),
}
WORDS = (
    *("id", "name", "data", "models", "modelArn", "status", "model", "error", "message", "modelDetails", "code"),
    *("inferenceTypesSupported", "outputModalities", "modelLifecycle", "scale_settings", "max_input_tokens"),
    *("supportedGenerationMethods", "inputTokenLimit", "deployedModels", "agreementAvailability", "context_window"),
    *("inferenceProfileSummaries", "modelSummaries", "publisherModels", "authorizationStatus"),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=5),
    max_leaves=12,
)
ANSWERS = st.builds(
    lambda status, body: HttpAnswer(status, {}, json.dumps(body).encode()),
    st.sampled_from([200, 200, 200, 204, 302, 400, 401, 403, 404, 405, 429, 500]),
    st.dictionaries(st.sampled_from(WORDS), VALUES, max_size=6) | VALUES,
)
TOLD = ANSWERS | st.builds(CallFailed, st.sampled_from([Kind.CONNECTION, Kind.TIMEOUT, Kind.AUTH]), st.just("words"))


@given(listing=st.sampled_from([*LISTINGS]), told=st.lists(TOLD, min_size=6, max_size=6))
def test_whatever_is_told_a_look_ends_with_findings(listing, told):
    """After at most four questions, and each finding has a level and words."""
    look = listing_for(LISTINGS[listing]).look()
    questions, answers = 0, iter(told)
    try:
        next(look)
        while True:
            questions += 1
            look.send(next(answers))
    except StopIteration as ended:
        found = ended.value
    except Shut as shut:
        found = [shut.finding]
    assert questions <= 4
    assert found
    assert {one.level for one in found} <= {"ok", "warning", "problem"}
    assert all(one.what and one.detail for one in found)
    json.dumps([dict(one.resolved) for one in found])
