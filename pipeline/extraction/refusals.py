"""Refusals told by more than their kind: of a request larger than a limit, and of every request alike. Pure."""

import re

from pipeline.admission.report import Refusal
from pipeline.errors import CallFailed, Kind
from pipeline.types import Dimension

OF_INPUT = {Dimension.INPUT_TOKENS, Dimension.TOKENS}
ADDRESS = {404, 405, 410}
ADDRESS_MOST = 3  # nothing in a document makes a server not know the address
FORM_MOST = 10  # ten documents in a row that are refused in the same words: it is not the documents
PAGE = re.compile(r"<(?:!doctype|html|head|body)\b", re.IGNORECASE)
OF_ONE_FILE = re.compile(  # ten bad files in a row are ten bad files
    r"password|has no pages|cannot be empty|image_parse_error|does not match the provided media type|exceeds [\d.]+ ?MB"
    r"|(?:pdf|image|document|file)\b.{0,40}\b(?:not valid|invalid|corrupt|damaged|broken|malformed)"
    r"|(?:could not|unable to|cannot|can't|failed to) (?:process|read|parse|decode|open)\b.{0,40}"
    r"\b(?:pdf|image|document|file)",
    re.IGNORECASE,
)
NO_FILES = re.compile(  # said of the model, not of the file
    r"not support (?:file content|documents?|images?|pdfs?|vision)|n't support (?:documents?|images?|pdfs?|vision)"
    r"|cannot be sent here|is sent text only",
    re.IGNORECASE,
)
FILES_MOST = 3
FILES_FIX = (
    'the model takes no such file here: set documents.read = "text" or "image", or model.api or model.name to what does'
)
VARIES = re.compile(r"[0-9a-f]*\d[0-9a-f-]*|req_\w+", re.IGNORECASE)  # ids, times, counts
WORDS_CHARS = 200
FIXES = (  # what the words are about, and what would mend it
    (NO_FILES.pattern, FILES_FIX),
    (r"response_format|json_schema|structured output|response_?schema|guided|grammar|output_config",
     'the server does not take a schema: set extract.mode = "tool" (or "json_object")'),
    (r"tool_choice|\btools?\b|function call",
     'the server does not take this tool: set extract.mode = "json_schema" (or "json_object")'),
    (r"temperature", "leave out model.temperature"),
    (r"reasoning|thinking|\beffort", "leave out model.reasoning, or set it to what the model takes"),
    (r"\btop_?p\b", "leave out model.top_p"),
    (r"\bseed\b", "leave out model.seed"),
    (r"'stop'|\bstop_?sequences?\b", "leave out model.stop"),
    (r"service_?tier", "leave out model.service_tier"),
    (r"safety_?identifier|end.user|requestMetadata|\bmetadata\b|\blabels\b", "set model.send_tenant = false"),
    (r"safety_?settings?", "leave out model.safety"),
    (r"max_(?:completion_|output_)?tokens|maxOutputTokens|max_new_tokens|maximum tokens you requested",
     "lower model.max_output_tokens"),
    (r"\bstream", "set model.stream = false"),
    (r"api.version", "mend model.api_version"),
    (r"anthropic-beta|\bbetas?\b", "mend model.betas"),
)  # fmt: skip
AT_ADDRESS = "look at model.base_url: it ends in /v1 for openai, and is the bare host for the others"


def never_fits(failure: CallFailed, input_tokens: int) -> bool:
    """Whether a 429 names a limit of tokens that the request's input alone exceeds, by our count: no waiting helps."""
    if failure.kind is not Kind.THROTTLED:
        return False
    limits = (seen.limit for seen in failure.limits if seen.dimension in OF_INPUT)
    return any(limit is not None and input_tokens > limit > 0 for limit in limits)


def refusal(failure: CallFailed, url: str) -> Refusal | None:
    """What is refused whatever the document says: the request's form, or its address. None: something else."""
    address = _at_address(failure)
    if not address and failure.kind is not Kind.INVALID_REQUEST:
        return None
    no_files = NO_FILES.search(failure.message) is not None
    if not address and not no_files and OF_ONE_FILE.search(failure.message):
        return None
    same = f"{failure.status} {VARIES.sub('#', failure.message)[:WORDS_CHARS]}"
    most = ADDRESS_MOST if address else FILES_MOST if no_files else FORM_MOST
    told = f"the provider refuses every request alike: {failure} at {url.partition('?')[0]}"
    return Refusal(same, f"{told}. {_fix(failure, address=address)}", most)


def _at_address(failure: CallFailed) -> bool:
    status = failure.status or 0
    if failure.kind is Kind.NO_ANSWER:
        return 300 <= status < 400 or PAGE.search(failure.message) is not None
    return failure.kind is Kind.INVALID_REQUEST and (status in ADDRESS or 300 <= status < 400)


def _fix(failure: CallFailed, *, address: bool) -> str:
    if address:
        return f"To mend it, {AT_ADDRESS}"
    found = next((fix for words, fix in FIXES if re.search(words, failure.message, re.IGNORECASE)), None)
    return "Mend the job, and run the same command again" if found is None else f"To mend it, {found}"
