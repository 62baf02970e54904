"""What each model takes of files: PDFs, images, how many and how large. Data of 2026-11-30, pure.

OpenAI: developers.openai.com, "File inputs" and "Images and vision", read 2026-10: 50 MB of files in all, no number of
pages is published (it was 100 once). Azure: learn.microsoft.com, "Responses API"; its chat completions answer a file
with "This model does not support file content types". Anthropic: platform.claude.com, "PDF support", "Images and
vision", read 2026-10: 32 MB, 600 pages, 100 where the window is below a million tokens; beyond 20 images of a request
2,000 pixels an edge are the most. Bedrock: docs.aws.amazon.com, "Converse", and botocore 1.44: 5 documents of 4.5 MB,
which Claude 4 and Nova are free of. A Claude sees the pages of a PDF there only with citations; a schema excludes
these, of a forced tool beside them nothing is known, and our wire never asks for them. Other makers' models get its
text, and Nova takes documents by Converse alone.
Google: ai.google.dev, "Document processing", read 2026-10: 20 MB inline on one page, 100 on another; 1,000 pages.

Where two figures are published the smaller one stands, and where none is, one that is safe everywhere.
"""

from msgspec import Struct

from pipeline.catalog.apis import CHAT, CONVERSE, api_of
from pipeline.catalog.names import family_name
from pipeline.catalog.page_tokens import TEXT_ALONE, known_rule
from pipeline.catalog.providers import PROVIDERS
from pipeline.catalog.windows import limits_of
from pipeline.job.settings import Model

MB = 1_000_000
MILLION = 1_000_000
WEB_IMAGES = frozenset({"image/png", "image/jpeg", "image/webp", "image/gif"})
GOOGLE_IMAGES = frozenset({"image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"})
NO_IMAGES: frozenset[str] = frozenset()
SAFE_PAGES = 90
AS_TEXT = "Set documents.read = 'text', or name a model that sees images"
DRAWN = "Set documents.read = 'image' to have its pages drawn, or 'text' for its text alone"
NO_PDF_MODELS = ("gpt-4-turbo", "gpt-4-vision", "gpt-4-1106", "gemma", "gemini-1.0", "llama", "phi-4")


class FileLimits(Struct, frozen=True):
    """What a request may hold. Sizes in bytes; `request_bytes` of the body as sent, files of before base64."""

    pdf: bool  # whether a PDF that is sent as it is will be seen, scans too
    why_no_pdf: str  # and what to do instead; "" where it is
    images: frozenset[str]  # media types; none: text alone
    why_no_images: str
    request_bytes: int
    file_bytes: int
    pdf_pages: int  # per request
    max_images: int  # per request
    image_px: int  # longest edge
    image_bytes: int  # of one image, where that is less than `file_bytes`


def file_limits(model: Model, mode: str) -> FileLimits:
    """`mode`: how JSON is asked for: json_schema, tool or json_object."""
    if model.provider.startswith("instructor:"):
        return _limits(model, f"{model.provider} is sent text alone. {AS_TEXT}", NO_IMAGES)
    own = PROVIDERS[model.provider].own_names
    if known_rule(model) is TEXT_ALONE and not own:  # a deployment may be called what it is not
        return _limits(model, f"{model.name} takes text alone. {AS_TEXT}", NO_IMAGES)
    return _limits(model, _why_no_pdf(model, mode), _images(model))


def _why_no_pdf(model: Model, mode: str) -> str:
    """Why a PDF would not be seen; "" where it is."""
    if model.provider == "azure" and api_of(model) == CHAT:
        return f"Azure's chat completions take no PDF. Set model.api = 'responses', or: {_lower(DRAWN)}"
    if model.provider == "bedrock":
        return _why_not_on_bedrock(model, mode)
    name = family_name(model.name)
    old_claude = name.startswith("claude-3") and not name.startswith(("claude-3-5", "claude-3-7"))
    if name.startswith(NO_PDF_MODELS) or old_claude:
        return f"{model.name} takes images, and no PDF. {DRAWN}"
    return ""


def _why_not_on_bedrock(model: Model, mode: str) -> str:
    name, converse = family_name(model.name), api_of(model) == CONVERSE
    if name.startswith("claude"):
        if not converse:
            return ""
        why = "which do not go with a schema" if mode == "json_schema" else "which are not asked for"
        told = f"Converse shows {model.name} the pages of a PDF only with citations, {why}"
        return f"{told}: of a scan it would see nothing. Set model.api = 'invoke', or: {_lower(DRAWN)}"
    if name.startswith("nova"):
        return (
            "" if converse else f"Nova takes a PDF by Converse alone. Set model.api = 'converse', or: {_lower(DRAWN)}"
        )
    return f"Bedrock is not known to show {model.name} the pages of a PDF. {DRAWN}"


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _images(model: Model) -> frozenset[str]:
    return GOOGLE_IMAGES if model.provider in {"gemini", "vertex"} else WEB_IMAGES


def _limits(model: Model, why_no_pdf: str, images: frozenset[str]) -> FileLimits:
    why_no_images = "" if images else f"{model.name} takes no images. {AS_TEXT}"
    request, file, image, pages, count = _sizes(model)
    return FileLimits(
        pdf=not why_no_pdf,
        why_no_pdf=why_no_pdf,
        images=images,
        why_no_images=why_no_images,
        request_bytes=request,
        file_bytes=file,
        pdf_pages=pages,
        max_images=count,
        image_px=8000,
        image_bytes=image,
    )


def _sizes(model: Model) -> tuple[int, int, int, int, int]:
    """Bytes of a request, of a file, of an image; pages of PDFs and images in a request."""
    name = family_name(model.name)
    long = limits_of(model.name).context_tokens >= MILLION
    pages, images = (600, 600) if long else (100, 100)
    match model.provider:
        case "anthropic":
            return 32 * MB, 23 * MB, 7 * MB, pages, images
        case "bedrock" if name.startswith("claude"):
            return 20 * MB, 14 * MB, int(3.75 * MB), pages, images if api_of(model) != CONVERSE else 20
        case "bedrock" if name.startswith("nova"):
            return 25 * MB, 18 * MB, 18 * MB, SAFE_PAGES, 5 if name.startswith("nova-2") else 20
        case "bedrock":
            return 20 * MB, int(4.5 * MB), int(3.75 * MB), SAFE_PAGES, 20
        case "gemini":
            return 20 * MB, 14 * MB, 14 * MB, 1000, 3000
        case "vertex":
            return 20 * MB, 14 * MB, 7 * MB, 1000, 3000
        case _:
            return 64 * MB, 47 * MB, 20 * MB, 100, 500
