"""Whether a name is one version for ever."""

from each_case import each_case

from pipeline.catalog.pins import pin_of


@each_case(
    ("provider", "name", "pinned"),
    [
        ("openai", "gpt-4o-mini-2024-07-18", True),
        ("openai", "gpt-4-0613", True),
        ("openai", "gpt-4o-mini", False),
        ("openai", "gpt-5.1", False),
        ("openai", "o3", False),
        ("openai", "chatgpt-4o-latest", False),
        ("openai", "openai/gpt-4o", False),
        ("openai", "ft:gpt-4o-mini-2024-07-18:acme::abc123", True),
        ("openai", "Qwen/Qwen2.5-7B-Instruct", True),
        ("openai", "llama3:latest", False),
        ("openai", "gpt-oss-120b", True),
        ("sandbox", "gpt-4o-mini", False),
        ("anthropic", "claude-haiku-4-5-20251001", True),
        ("anthropic", "claude-haiku-4-5", False),
        ("anthropic", "claude-3-5-sonnet-latest", False),
        ("anthropic", "claude-sonnet-4-6", True),
        ("anthropic", "claude-opus-5", True),
        ("anthropic", "claude-sonnet-4", False),
        ("vertex", "claude-haiku-4-5@20251001", True),
        ("bedrock", "us.anthropic.claude-haiku-4-5-20251001-v1:0", True),
        ("bedrock", "amazon.nova-lite-v1:0", True),
        ("gemini", "gemini-2.5-flash", True),
        ("gemini", "gemini-2.5-flash-preview-09-2025", True),
        ("gemini", "gemini-2.0-flash", False),
        ("gemini", "models/gemini-2.0-flash-001", True),
        ("gemini", "gemini-flash-latest", False),
    ],
)
def test_a_name_is_one_version_or_moves(provider, name, pinned):
    """One that moves comes with what to write in its place."""
    pin = pin_of(provider, name)
    assert (pin.pinned, pin.sure) == (pinned, True)
    assert pinned or pin.instead


def test_a_deployment_says_nothing_of_its_version():
    assert not pin_of("azure", "gpt-4o-mini").sure
