"""What a server says may hold what it was sent: a file's bytes are taken out before anybody keeps or shows it. Pure.

They are known by their look: a long run of base64 (or hex), plain, escaped for JSON or a URL, or broken into lines.
"""

import re
import string

LEAST = 200  # characters of a run: what is shorter is an id, a hash, a signature
LEAST_AT_END = 64  # where a text was cut, the run goes on beyond it
TAKEN_OUT = "[bytes of a file]"
ESCAPED = (
    r"\\+(?:[/nrtbf]|u[0-9a-fA-F]{4})|%(?:25)*[0-9a-fA-F]{2}|&(?:amp;)*#x?[0-9a-fA-F]{1,6};|\r?\n(?=[A-Za-z0-9+/]{16})"
)
# Nothing of an escape is left behind: half of one would break the JSON around it.
RUN = rf"(?:data:[\w.+/-]{{1,80}};base64,)?(?<![A-Za-z0-9+/=_\\-])(?:[A-Za-z0-9+/=_-]++|{ESCAPED})++"
CHARS = string.ascii_letters.encode() + string.digits.encode() + b"+/=_-\\%&#;\r\n"
IN_RUNS = bytes(88 if byte in CHARS else 32 for byte in range(256))
STRETCH = b"X" * LEAST_AT_END
TEXT, BYTES = re.compile(RUN, re.ASCII), re.compile(RUN.encode())


def unechoed(text: str) -> str:
    """The text without bytes of files."""
    if len(text) < LEAST_AT_END or not _may_hold(text.encode("utf-8", "replace")):
        return text
    return TEXT.sub(lambda run: TAKEN_OUT if _is_file(run) else run.group(), text)


def unechoed_body(body: bytes) -> bytes:
    """The same of a body that is an error; JSON stays JSON."""
    if not _may_hold(body):
        return body
    return BYTES.sub(lambda run: TAKEN_OUT.encode() if _is_file(run) else run.group(), body)


def _may_hold(data: bytes) -> bool:
    """A hundred times as fast as the pattern, which few errors need."""
    return STRETCH in data.translate(IN_RUNS)


def _is_file(run: "re.Match[str] | re.Match[bytes]") -> bool:
    start, end = run.span()
    return end - start >= (LEAST_AT_END if end == len(run.string) else LEAST)
