"""What Bedrock's control plane is asked for each form of a name, and what its answers mean."""

from datetime import UTC, datetime
from urllib.parse import unquote, urlsplit

import pytest
from listing_server import conversation

from pipeline.job.settings import Model
from pipeline.providers.bedrock.listing import BedrockListing
from pipeline.providers.credentials.secret import Secret
from pipeline.sandbox.exchange import Received
from pipeline.sandbox.wires.bedrock import sigv4

CLAUDE = "anthropic.claude-haiku-4-5-20251001-v1:0"
GOOD = {"modelId": CLAUDE, "inferenceTypesSupported": ["ON_DEMAND"], "outputModalities": ["TEXT"]}
ARN = "arn:aws:bedrock:us-east-1:123456789012:"
MISSING = (404, {"message": "ResourceNotFoundException: it is not there"})


def listing(name=CLAUDE, **more):
    return BedrockListing(Model(provider="bedrock", name=name, max_output_tokens=100, region="us-east-1", **more))


def found(table, name=CLAUDE, **more):
    """Findings, and the paths that were asked for."""
    table = {f"/{path}": told for path, told in table.items()}
    findings, asked = conversation(listing(name, **more).look(), table, MISSING)
    return findings, [unquote(urlsplit(url).path).lstrip("/") for url in asked]


def problem(findings):
    (one,) = [one for one in findings if one.level == "problem"]
    return one.detail


def test_a_model_on_demand():
    findings, asked = found({f"foundation-models/{CLAUDE}": {"modelDetails": GOOD}})
    assert {one.level for one in findings} == {"ok"}
    assert asked == [f"foundation-models/{CLAUDE}", f"foundation-model-availability/{CLAUDE}"]


def test_a_model_by_its_arn_is_the_model():
    findings, _ = found(
        {f"foundation-models/{CLAUDE}": {"modelDetails": GOOD}}, f"arn:aws:bedrock:us-east-1::foundation-model/{CLAUDE}"
    )
    assert {one.level for one in findings} == {"ok"}


@pytest.mark.parametrize(
    ("profiles", "told"),
    [
        ([f"us.{CLAUDE}", f"global.{CLAUDE}", "us.anthropic.other"], f"'us.{CLAUDE}' or 'global.{CLAUDE}'"),
        ([], f"us.{CLAUDE}"),
    ],
)
def test_a_model_that_is_not_on_demand_names_its_profiles(profiles, told):
    """Those of the account's region, as they are listed; by the region's name where no list is given."""
    details = {"modelDetails": {**GOOD, "inferenceTypesSupported": ["INFERENCE_PROFILE"]}}
    listed = {"inferenceProfileSummaries": [{"inferenceProfileId": one} for one in profiles]}
    findings, _ = found({f"foundation-models/{CLAUDE}": details, "inference-profiles": listed})
    assert told in problem(findings)
    assert "other" not in problem(findings)


@pytest.mark.parametrize(
    ("details", "model", "words"),
    [
        ({"outputModalities": ["EMBEDDING"]}, {}, "does not answer with text"),
        ({"responseStreamingSupported": False}, {"stream": True}, "model.stream = false"),
    ],
)
def test_a_model_of_another_kind(details, model, words):
    findings, _ = found({f"foundation-models/{CLAUDE}": {"modelDetails": {**GOOD, **details}}}, **model)
    assert words in problem(findings)


def test_a_model_that_will_be_taken_away():
    details = {"modelDetails": {**GOOD, "modelLifecycle": {"status": "LEGACY"}}}
    findings, _ = found({f"foundation-models/{CLAUDE}": details})
    assert [one.level for one in findings] == ["ok", "warning", "ok"]


@pytest.mark.parametrize(
    ("told", "level"),
    [
        ({"authorizationStatus": "NOT_AUTHORIZED"}, "problem"),
        ({"entitlementAvailability": "NOT_AVAILABLE"}, "problem"),
        ({"regionAvailability": "NOT_AVAILABLE"}, "problem"),
        ({"agreementAvailability": {"status": "NOT_AVAILABLE"}}, "warning"),
        ({"agreementAvailability": {"status": "AVAILABLE"}, "authorizationStatus": "AUTHORIZED"}, None),
        ((403, {"message": "not allowed to ask"}), None),
    ],
)
def test_whether_the_account_has_it(told, level):
    """Of a profile's model as well; that it may not be asked is no failure."""
    table = {f"foundation-models/{CLAUDE}": {"modelDetails": GOOD}, f"foundation-model-availability/{CLAUDE}": told}
    findings, _ = found(table)
    assert [one.level for one in findings if one.what == "access"] == ([level] if level else [])


def test_a_profile_tells_its_models_and_regions():
    arns = [f"arn:aws:bedrock:{region}::foundation-model/{CLAUDE}" for region in ("us-west-2", "us-east-1")]
    profile = {"status": "ACTIVE", "models": [{"modelArn": arn} for arn in arns]}
    findings, asked = found({f"inference-profiles/us.{CLAUDE}": profile}, f"us.{CLAUDE}")
    resolved = next(one.resolved for one in findings if one.what == "inference profile")
    assert resolved == {"profile": f"us.{CLAUDE}", "models": [CLAUDE], "regions": ["us-east-1", "us-west-2"]}
    assert asked[-1] == f"foundation-model-availability/{CLAUDE}"
    findings, _ = found({f"inference-profiles/us.{CLAUDE}": {**profile, "status": "DELETING"}}, f"us.{CLAUDE}")
    assert "DELETING" in problem(findings)


def test_a_profile_that_is_not_there():
    listed = {"inferenceProfileSummaries": [{"inferenceProfileId": f"us.{CLAUDE}"}]}
    findings, _ = found({"inference-profiles": listed}, f"eu.{CLAUDE}")
    assert f"Did you mean 'us.{CLAUDE}'?" in problem(findings)


@pytest.mark.parametrize(
    ("name", "path", "good", "bad"),
    [
        (f"{ARN}application-inference-profile/abc", "inference-profiles", "ACTIVE", "CREATING"),
        (f"{ARN}provisioned-model/abc", "provisioned-model-throughput", "InService", "Updating"),
        (f"{ARN}prompt-router/abc", "prompt-routers", "AVAILABLE", "GONE"),
        (f"{ARN}custom-model-deployment/abc", "model-customization/custom-model-deployments", "Active", "Failed"),
    ],
)
def test_what_is_of_the_accounts_own(name, path, good, bad):
    assert {one.level for one in found({f"{path}/{name}": {"status": good}}, name)[0]} == {"ok"}
    assert bad in problem(found({f"{path}/{name}": {"status": bad}}, name)[0])
    assert problem(found({}, name)[0])


def test_what_nothing_tells_of_is_a_warning_and_asks_nothing():
    findings, asked = found({}, f"{ARN}custom-model/abc")
    assert ([one.level for one in findings], asked) == (["warning"], [])


def test_the_control_plane_is_another_host_or_what_stands_in_its_place():
    assert next(listing().look()).startswith("https://bedrock.us-east-1.amazonaws.com/foundation-models/")
    there = "https://vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com/"
    assert next(listing(base_url=there).look()).startswith("https://vpce-1.bedrock.us-east-1.vpce.amazonaws.com/")
    assert next(listing(base_url="http://127.0.0.1:9").look()).startswith("http://127.0.0.1:9/foundation-models/")


@pytest.mark.parametrize("path", ["inference-profiles?maxResults=1000", "foundation-models/a%2Fb:0", "x?b=2&a=1"])
def test_a_get_is_signed_as_aws_wants_it(path):
    """By the sandbox, which works the signature out anew from the request."""
    url, now = f"https://bedrock.us-east-1.amazonaws.com/{path}", datetime(2026, 11, 30, tzinfo=UTC)
    sent = listing().headers(url, Secret(sigv4.SECRET, "AKIASANDBOX1"), now)
    headers = {name.lower(): value for name, value in sent.items()} | {"host": "bedrock.us-east-1.amazonaws.com"}
    parts = urlsplit(url)
    assert sigv4.problem(Received("GET", parts.path, parts.query, headers, b""), now) is None
    assert sigv4.problem(Received("POST", parts.path, parts.query, headers, b""), now) is not None
