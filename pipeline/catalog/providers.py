"""The catalog: one entry per provider, with all that differs between them and is no code. Pure.

Code is named by where it is (`module:name`) and imported only when a job uses it. What a new provider's entry leaves
open, tests/catalog/test_providers.py names.
"""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Literal

from msgspec import Struct

from pipeline.catalog import abilities, counting_rates, limit_profiles, reasoning_levels, token_factors
from pipeline.catalog.abilities import ALL, Ability
from pipeline.catalog.instructor import VENDORS, Vendor
from pipeline.catalog.limit_profiles import Profile
from pipeline.catalog.reasoning_levels import Takes
from pipeline.job.instructor import PREFIX, name_in
from pipeline.job.settings import Model


class Entry(Struct, frozen=True, kw_only=True):
    """One provider. Its `name` is what `model.provider` says."""

    name: str
    # How it is spoken to
    wire: str  # module:class
    invoke_wire: str = ""  # where model.api = "invoke" speaks another dialect
    responses_wire: str = ""  # likewise, "responses"
    environment: Mapping[str, tuple[str, ...]] = {}  # key of [model] → variables that fill it when it is empty
    batch_wire: str = ""  # module:class of its batch API; "": none that we speak
    listing: str = ""  # module:class of what `check --online` asks, at no cost
    carrier: str  # the module with its SDK's `carrier`
    extra: str  # of this package, that installs the SDK
    # What lets a job in
    needs_key: bool = True
    key_env: str = ""  # the variable that holds a plain key
    credentials: str = ""  # where there is no plain key: module:function(model, environ) → Credentials, or JobError
    # How its models are asked for JSON
    abilities: Mapping[str, Ability] = {}  # prefix of a model's name → what it can be asked by
    invoke_abilities: Mapping[str, Ability] = {}
    of_unknown_models: Ability = ALL
    own_names: bool = False  # a name is the user's own (a deployment's), and says nothing for sure
    dialect: str  # in the table of schema dialects
    # What its models can be told of how much they reason
    reasoning: Mapping[str, Takes]  # by the beginning of a model's name
    reasoning_of_unknown: Takes
    # What it counts, keeps and costs
    limits: Profile
    claude_limits: Profile | None = None  # where those of Claude models differ
    token_factor: Fraction | None = None  # of models whose name says nothing; None: they count as OpenAI's
    counts_a_minute: int = 0  # requests that its endpoint for counting tokens takes; 0: it has none
    openai_frame: bool = False  # what goes with every request is counted as OpenAI counts it
    caches: Literal["marked", "by itself", ""] = ""  # of a prompt: what is marked, or what it sees again
    price_tables: tuple[str, ...]  # of genai-prices, in this order
    batch: Decimal | Literal["by table"] | None = None  # what its batch API takes of the price, by the first table
    batch_makers: tuple[str, ...] = ()  # whose models that API takes; (): all
    batch_least: int = 1  # requests that a batch has to have
    # How it is told of
    otel_name: str  # gen_ai.provider.name


HALF = Decimal("0.5")
ENTRIES = (
    Entry(
        name="openai",
        wire="pipeline.providers.openai.wire:OpenAIWire",
        batch_wire="pipeline.providers.openai.batches:OpenAIBatches",
        listing="pipeline.providers.openai.listing:OpenAIListing",
        responses_wire="pipeline.providers.openai.responses:ResponsesWire",
        carrier="pipeline.providers.transport.sdk_openai",
        extra="openai",
        key_env="OPENAI_API_KEY",
        abilities=abilities.OPENAI,
        dialect="openai",
        reasoning=reasoning_levels.OPENAI,
        reasoning_of_unknown=reasoning_levels.ANY_EFFORT,
        limits=limit_profiles.OPENAI,
        openai_frame=True,
        caches="by itself",
        price_tables=("openai",),
        batch="by table",
        otel_name="openai",
    ),
    Entry(
        name="azure",
        wire="pipeline.providers.openai.azure:AzureWire",
        responses_wire="pipeline.providers.openai.azure:AzureResponsesWire",
        environment={"base_url": ("AZURE_OPENAI_ENDPOINT",), "api_version": ("OPENAI_API_VERSION",)},
        batch_wire="pipeline.providers.openai.azure_batches:AzureBatches",
        listing="pipeline.providers.openai.azure_listing:AzureListing",
        carrier="pipeline.providers.transport.sdk_openai",
        extra="azure",
        key_env="AZURE_OPENAI_API_KEY",
        credentials="pipeline.providers.credentials.entra:credentials",
        abilities=abilities.OPENAI,
        own_names=True,
        dialect="azure",
        reasoning=reasoning_levels.OPENAI,
        reasoning_of_unknown=reasoning_levels.ANY_EFFORT,
        limits=limit_profiles.AZURE,
        openai_frame=True,
        caches="by itself",
        price_tables=("azure", "openai"),
        batch=HALF,  # its global batch deployments
        otel_name="azure.ai.openai",
    ),
    Entry(
        name="anthropic",
        wire="pipeline.providers.anthropic.wire:AnthropicWire",
        batch_wire="pipeline.providers.anthropic.batches:AnthropicBatches",
        listing="pipeline.providers.anthropic.listing:AnthropicListing",
        carrier="pipeline.providers.transport.sdk_anthropic",
        extra="anthropic",
        key_env="ANTHROPIC_API_KEY",
        abilities=abilities.CLAUDE,
        dialect="anthropic",
        reasoning=reasoning_levels.CLAUDE,
        reasoning_of_unknown=reasoning_levels.LIKE_CLAUDE,
        limits=limit_profiles.ANTHROPIC,
        token_factor=token_factors.CLAUDE_5,
        counts_a_minute=counting_rates.ANTHROPIC,
        caches="marked",
        price_tables=("anthropic",),
        batch="by table",
        otel_name="anthropic",
    ),
    Entry(
        name="bedrock",
        wire="pipeline.providers.bedrock.converse:ConverseWire",
        invoke_wire="pipeline.providers.bedrock.invoke:InvokeWire",
        batch_wire="pipeline.providers.bedrock.batches:BedrockBatches",
        environment={
            "base_url": ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME",),
            "region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
        },
        listing="pipeline.providers.bedrock.listing:BedrockListing",
        carrier="pipeline.providers.transport.sdk_aws",
        extra="aws",
        credentials="pipeline.providers.credentials.aws:credentials",
        abilities=abilities.CONVERSE,
        invoke_abilities=abilities.INVOKE,
        of_unknown_models=abilities.MAYBE_TOOLS,
        dialect="bedrock",
        reasoning=reasoning_levels.BEDROCK,
        reasoning_of_unknown=reasoning_levels.UNKNOWN,
        limits=limit_profiles.BEDROCK,
        claude_limits=limit_profiles.BEDROCK_CLAUDE,
        token_factor=token_factors.UNKNOWN,
        counts_a_minute=counting_rates.BEDROCK,
        caches="marked",
        price_tables=("aws",),
        batch=HALF,
        batch_makers=("anthropic.", "meta.", "mistral.", "amazon.nova"),
        batch_least=100,
        otel_name="aws.bedrock",
    ),
    Entry(
        name="gemini",
        wire="pipeline.providers.gemini.wire:GeminiWire",
        batch_wire="pipeline.providers.gemini.batches:GeminiBatches",
        listing="pipeline.providers.gemini.listing:GeminiListing",
        carrier="pipeline.providers.transport.sdk_google",
        extra="google",
        key_env="GEMINI_API_KEY",
        abilities=abilities.GEMINI,
        dialect="gemini",
        reasoning=reasoning_levels.GEMINI,
        reasoning_of_unknown=reasoning_levels.GEMINI_NEWEST,
        limits=limit_profiles.GEMINI,
        token_factor=token_factors.GEMINI,
        counts_a_minute=counting_rates.GEMINI,
        caches="by itself",
        price_tables=("google",),
        batch="by table",
        otel_name="gcp.gemini",
    ),
    Entry(
        name="vertex",
        wire="pipeline.providers.gemini.wire:VertexWire",
        batch_wire="pipeline.providers.gemini.vertex_batches:VertexBatches",
        environment={
            "project": ("GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT"),
            "region": ("GOOGLE_CLOUD_LOCATION", "GOOGLE_CLOUD_REGION"),
        },
        listing="pipeline.providers.gemini.listing:VertexListing",
        carrier="pipeline.providers.transport.sdk_google",
        extra="google",
        credentials="pipeline.providers.credentials.google:credentials",
        abilities=abilities.GEMINI,
        dialect="gemini",
        reasoning=reasoning_levels.GEMINI,
        reasoning_of_unknown=reasoning_levels.GEMINI_NEWEST,
        limits=limit_profiles.VERTEX,
        token_factor=token_factors.GEMINI,
        counts_a_minute=counting_rates.GEMINI,
        caches="by itself",
        price_tables=("google",),
        batch="by table",
        otel_name="gcp.vertex_ai",
    ),
    Entry(
        name="sandbox",
        wire="pipeline.providers.openai.wire:OpenAIWire",
        batch_wire="pipeline.providers.openai.batches:OpenAIBatches",
        listing="pipeline.providers.openai.listing:OpenAIListing",
        responses_wire="pipeline.providers.openai.responses:ResponsesWire",
        carrier="pipeline.providers.transport.sdk_openai",
        extra="openai",
        needs_key=False,
        dialect="openai",
        reasoning=reasoning_levels.ALL,
        reasoning_of_unknown=reasoning_levels.ANY_EFFORT,
        limits=limit_profiles.SANDBOX,
        openai_frame=True,
        price_tables=("openai", "anthropic", "google", "aws"),
        otel_name="sandbox",
    ),
)


@cache
def through_instructor(name: str) -> Entry:
    """The entry of instructor:NAME, whether or not instructor knows it."""
    vendor = VENDORS.get(name, Vendor())
    return Entry(
        name=f"{PREFIX}{name}",
        wire="pipeline.providers.instructor.wire:InstructorWire",
        carrier="pipeline.providers.instructor.transport",
        extra="instructor",
        needs_key=vendor.needs_key,
        key_env=vendor.key_env or f"{name.upper().replace('-', '_')}_API_KEY",
        of_unknown_models=vendor.ability,
        dialect="instructor",
        reasoning={},
        reasoning_of_unknown=reasoning_levels.UNKNOWN,
        limits=limit_profiles.UNKNOWN,
        token_factor=token_factors.UNKNOWN,
        price_tables=(vendor.price_table or name,),
        otel_name=vendor.otel_name or name,
    )


class Catalog(dict[str, Entry]):
    """The entries by their names. Those through instructor are made as they are asked for, and are in no list of it."""

    def __missing__(self, provider: str) -> Entry:
        if not (name := name_in(provider)):
            raise KeyError(provider)
        return through_instructor(name)


PROVIDERS: Mapping[str, Entry] = Catalog({entry.name: entry for entry in ENTRIES})


def key_variable(model: Model) -> str:
    """The name of the environment variable that holds the provider's key, or "" where none is needed."""
    return model.api_key_env or PROVIDERS[model.provider].key_env


def profile_of(provider: str, model: str) -> Profile:
    """How the provider keeps its limits for this model."""
    entry = PROVIDERS[provider]
    return entry.claude_limits if entry.claude_limits and "claude" in model.lower() else entry.limits
