"""What vendors say of files that they do not take, as a kind of failure. A gateway passes on the words of others. Pure.

Anthropic's from anthropics/claude-code#5707 (pages) and anthropic-sdk-python#903 ("Could not process PDF", which comes
and goes for good files), Bedrock's from aws-samples/generative-ai-use-cases#1685, Gemini's from googleapis/python-genai
#308; all as of 2026-11. What is not here is a refusal like any other: the row ends, and the words say why.
"""

import re

from pipeline.errors import Kind

TOO_MANY = re.compile(  # fewer pages may help
    r"(?:maximum|limit) (?:of|is) [\d,]+ (?:pdf )?(?:pages|images|documents)|\bpage limit\b|number of pages"
    r"|too many (?:pages|images|documents|files)|(?:more than|at most|up to) [\d,]+ (?:pdf )?(?:pages|images|documents)"
    r"|files bytes are too large|total (?:size of )?(?:the )?(?:files?|documents?|images?)\b.{0,40}(?:exceed|too large)"
    r"|many-image requests|(?:document|pdf|file)s? (?:is|are) too large",
    re.IGNORECASE,
)
COMES_AND_GOES = re.compile(r"could not process pdf", re.IGNORECASE)
OF_FILES = ((TOO_MANY, Kind.CONTEXT_EXCEEDED), (COMES_AND_GOES, Kind.NOT_PROCESSED))
