"""JSON Pointers (RFC 6901): the way to a value in a JSON document."""

from __future__ import annotations

import json
import re

POINTER = re.compile(r"(/([^~/]|~[01])*)+")
"""One that leads into the document; the empty one, which is the document itself, is none here."""


def pointed_at(pointer: str, document: object) -> str | None:
    """As a JSON text, the same for equal values; None if the pointer leads nowhere."""
    value = document
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
