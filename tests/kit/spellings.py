"""How a server may write a key that it was sent, and whether a text still tells it."""

import base64
import html
import json
import re
from urllib.parse import quote, unquote


def twice(text):
    return json.dumps(json.dumps(text)[1:-1])[1:-1]


def hexed(text):
    return "".join(f"\\u{ord(char):04x}" for char in text)


SPELLINGS = {
    "plain": str,
    "upper": str.upper,
    "lower": str.lower,
    "json": lambda text: json.dumps(text)[1:-1],
    "json-twice": twice,
    "slashes": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "unicode": hexed,
    "unicode-upper": lambda text: "".join(f"\\u{ord(char):04X}" for char in text),
    "unicode-twice": lambda text: hexed(text).replace("\\", "\\\\"),
    "unicode-thrice": lambda text: hexed(text).replace("\\", "\\" * 4),
    "unicode-in-part": lambda text: text[:4] + hexed(text[4]) + text[5:],
    "percent": lambda text: "".join(f"%{ord(char):02X}" for char in text),
    "percent-as-urls-do": lambda text: quote(text, safe=""),
    "percent-twice": lambda text: quote(quote(text, safe=""), safe=""),
    "decimal-entities": lambda text: "".join(f"&#{ord(char)};" for char in text),
    "hex-entities": lambda text: "".join(f"&#x{ord(char):X};" for char in text),
    "entities-twice": lambda text: "".join(f"&amp;#{ord(char)};" for char in text),
    "named-entities": html.escape,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64-of-a-pair": lambda text: base64.b64encode(f"me:{text}!".encode()).decode(),
    "base64-url": lambda text: base64.urlsafe_b64encode(f"u{text}".encode()).decode(),
    "bearer": lambda text: f"Bearer {text}",
}


def tells(text, key):
    """Whether `key` is in it, however often one unescapes it."""
    coded = [base64.b64encode(b"\0" * before + key.encode()).decode()[4:-4] for before in range(3)]
    for _ in range(4):
        if key.lower() in text.lower() or any(piece in text for piece in coded):
            return True
        text = re.sub(r"\\+u00([0-9a-fA-F]{2})", lambda found: chr(int(found.group(1), 16)), text)
        text = html.unescape(unquote(text)).replace("\\/", "/")
    return False
