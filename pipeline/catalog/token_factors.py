"""Tokens of other vocabularies per token of o200k_base, by the beginning of a model's name. Data only.

The highest mean over prose, invoices, CJK and code, rounded up. A mean, not a bound: single documents of prose went to
1.8 (older Claude), 2.1 (newer Claude) and 1.5 (Gemma).
"""

from fractions import Fraction

CLAUDE_3, CLAUDE_5, GEMINI, UNKNOWN = Fraction("1.35"), Fraction("1.6"), Fraction("1.35"), Fraction("1.6")
FAMILIES = (
    (CLAUDE_5, ("claude", "claude-opus-4-7", "claude-opus-4-8", "claude-opus-4-9")),
    (CLAUDE_3, ("claude-instant", "claude-v2", "claude-2", "claude-3", "claude-4")),
    (CLAUDE_3, ("claude-opus-4", "claude-sonnet-4", "claude-haiku-4")),
    (GEMINI, ("gemini", "gemma")),
    (Fraction("1.05"), ("llama", "llama3", "llama3.1", "llama3.2", "llama3.3", "llama4", "meta-llama")),
    (Fraction("1.3"), ("mistral", "mixtral", "ministral", "codestral", "pixtral", "magistral", "devstral")),
    (Fraction("1.1"), ("deepseek", "r1")),
)
FACTORS = {prefix: factor for factor, prefixes in FAMILIES for prefix in prefixes}
