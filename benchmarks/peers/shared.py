"""What all contenders share: the documents, the question, the schema, and how their figures are told."""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "schemas"))
from invoice import Invoice

__all__ = ["KEY", "MODEL", "MOST_TOKENS", "Invoice", "arguments", "prompts", "told"]

MODEL = "gpt-4o-mini"
MOST_TOKENS = 1024
KEY = "sandbox"


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("url", help="of the server, ending in /v1")
    parser.add_argument("rows", type=Path, help="JSON lines of {id, text}")
    parser.add_argument("--concurrency", type=int, default=100)
    return parser.parse_args()


def prompts(path):
    with path.open("rb") as lines:
        for line in lines:
            yield "Extract the invoice.\n\n" + json.loads(line)["text"]


def told(answers):
    """Print how many are records; whatever else an answer is counts as bad."""
    good = sum(isinstance(answer, Invoice) for answer in answers)
    print(json.dumps({"good": good, "bad": len(answers) - good}))
