"""Names of models without what providers put around them."""

from pipeline.catalog.names import bare_model


def test_bare_model_leaves_versions_alone():
    """A dot in a version is no maker."""
    assert bare_model("gpt-4.1-mini") == "gpt-4.1-mini"
    assert bare_model("Meta-Llama/Llama-3.1-8B") == "llama-3.1-8b"
    assert bare_model("apac.anthropic.claude-3-haiku-20240307-v1:0") == "claude-3-haiku-20240307-v1:0"
