"""The two headers of those who write: `Idempotency-Key` on POST, `If-Match` on PATCH and DELETE."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Annotated, Any, Final

from fastapi import Depends, Request

from rota.domain.expected import ANY_VERSION, Expected
from rota.entrypoints.http.errors import UnreadableError

KEY: Final = "Idempotency-Key"
MATCH: Final = "If-Match"

_PLACES: Final[Mapping[str, tuple[str, ...]]] = {KEY: ("POST",), MATCH: ("PATCH", "DELETE")}
_LONGEST: Final = 255
_KEY: Final = re.compile(rf"[\x20-\x7e]{{1,{_LONGEST}}}")
_OPAQUE: Final = r'"[\x21\x23-\x7e\x80-\xff]*"'
_TAGS: Final = re.compile(rf"[ \t,]*(?:W/)?{_OPAQUE}(?:[ \t]*,[ \t]*(?:(?:W/)?{_OPAQUE})?)*[ \t]*")
_TAG: Final = re.compile(rf"(W/)?{_OPAQUE}")
_VERSION: Final = re.compile(r'"([1-9][0-9]{0,17})"')


def refuse_misplaced(request: Request) -> None:
    """Raises UnreadableError: a caller who says such a header relies on it."""
    for header, methods in _PLACES.items():
        if header in request.headers and request.method not in methods:
            raise UnreadableError(f"counts with {' and '.join(methods)} only", header)


def key_of(request: Request) -> str | None:
    """The call's idempotency key. Raises UnreadableError."""
    said = request.headers.getlist(KEY)
    if not said:
        return None
    if len(said) > 1:
        raise UnreadableError("is said more than once", KEY)
    if not _KEY.fullmatch(said[0]):
        raise UnreadableError(f"must be 1 to {_LONGEST} printable ASCII characters", KEY)
    return said[0]


def note_asked(request: Request, body: bytes) -> None:
    """Keeps for `asked_by` what distinguishes this call from another with the same key."""
    if KEY in request.headers:
        query: bytes = request.scope["query_string"]
        request.state.asked = sha256(b"%d:%b%b" % (len(query), query, body)).digest()


def asked_by(request: Request) -> bytes:
    """A digest of the query and the body, which was read (`body`)."""
    asked: bytes = request.state.asked
    return asked


async def _expected(request: Request) -> Expected:
    """Raises UnreadableError. Versions are strong tags: a weak one, or one that Rota never gave out, names none."""
    said = request.headers.getlist(MATCH)
    if not said:
        return ANY_VERSION
    text = ", ".join(said)
    if text.strip() == "*":
        return ANY_VERSION
    if not _TAGS.fullmatch(text):
        raise UnreadableError('must be `*` or a list of entity tags, as in "3"', MATCH)
    tags = (found[0] for found in _TAG.finditer(text))
    return Expected(frozenset(int(version[1]) for tag in tags if (version := _VERSION.fullmatch(tag))))


Expects = Annotated[Expected, Depends(_expected)]
"""What `If-Match` says."""


def declare(method: str, operation: dict[str, Any]) -> None:
    """Adds the headers that calls of that method take to what the OpenAPI document says of one."""
    if method == "post":
        text = "Any call that is repeated with it within 24 hours is answered as the first one was, and done once."
        schema = {"type": "string", "minLength": 1, "maxLength": _LONGEST, "pattern": "^[!-~]([ -~]*[!-~])?$"}
        _add(operation, KEY, text, schema)
    if method in ("patch", "delete"):
        text = "The `ETag` of what the change is made for; `*`, or nothing, is whatever there is."
        tag = r'(W/)?"[!#-~]*"'
        schema = {"type": "string", "pattern": rf"^(\*|{tag}( *, *{tag})*)$", "examples": ['"3"', "*"]}
        _add(operation, MATCH, text, schema)


def _add(operation: dict[str, Any], name: str, text: str, schema: dict[str, Any]) -> None:
    header = {"name": name, "in": "header", "required": False, "description": text, "schema": schema}
    operation.setdefault("parameters", []).append(header)
