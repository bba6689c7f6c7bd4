"""Every refusal that there is: its stable type, its status, and when it comes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rota.domain import errors as domain_errors
from rota.domain.errors import RotaError
from rota.entrypoints.http import errors as http_errors
from rota.entrypoints.http.problems import MEDIA_TYPE, STATUS

URN: Final = "urn:rota:error:"

_OF_ROUTES: Final = {"method-not-allowed": 405, "internal": 500}
"""Refusals that are no errors of ours: the route's, and what went wrong unexpectedly."""

_NAMES: Final = {
    400: ("Unreadable", "The call cannot be understood: no JSON, or no tenant is named where one must be"),
    401: ("Unauthenticated", "There is no token, or it is not believed"),
    403: ("Forbidden", "The token lacks the scope, or the call names another tenant"),
    404: ("NotFound", "Unknown, or another tenant's: the two are not told apart"),
    408: ("TooSlow", "The body did not come within a minute"),
    409: ("Conflict", "The name is taken, or the present state forbids it"),
    412: ("PreconditionFailed", "`If-Match` names a version that does not stand any more"),
    413: ("TooLarge", "A body has at most 8 MiB; a file may be bound tighter"),
    422: ("Invalid", "A field or a parameter is bad or unknown; `errors` names each and says why"),
    503: ("Unavailable", "A server that Rota stands on does not answer; `Retry-After` says when to ask again"),
}

_HEADERS: Final[Mapping[int, Mapping[str, tuple[str, Any]]]] = {  # Any: JSON Schema
    401: {"WWW-Authenticate": ("How to say who is calling.", {"type": "string", "const": "Bearer"})},
    503: {"Retry-After": ("Seconds.", {"type": "integer", "minimum": 1})},
}


@dataclass(frozen=True, slots=True)
class Refusal:
    code: str
    status: int

    @property
    def type(self) -> str:
        return URN + self.code


def refusals() -> list[Refusal]:
    """All, by status and code."""
    found = {(_status(kind), kind.code) for kind in _tree(RotaError) if _is_told(kind)}
    found |= {(status, code) for code, status in _OF_ROUTES.items()}
    return [Refusal(code, status) for status, code in sorted(found)]


def responses() -> dict[str, dict[str, Any]]:  # Any: OpenAPI
    """For the document's `components.responses`."""
    known = {each.status for each in refusals()}
    return {name: _response(status, text) for status, (name, text) in _NAMES.items() if status in known}


def refusals_of(path: str, method: str, operation: Mapping[str, Any]) -> dict[str, Any]:
    """For an operation's `responses`."""
    return {
        str(status): {"$ref": f"#/components/responses/{_NAMES[status][0]}"} for status in _of(path, method, operation)
    }


def _of(path: str, method: str, operation: Mapping[str, Any]) -> Iterator[int]:
    headers = {each["name"] for each in operation.get("parameters", ()) if each["in"] == "header"}
    if "X-Tenant-Id" in headers:
        yield 400
    if operation.get("security"):
        yield from (401, 403)
    if "{" in path:
        yield 404
    if "requestBody" in operation:
        yield from (408, 413)
    if (
        method in ("patch", "delete")
        or (method == "post" and path != "/schedules/preview")
        or "Idempotency-Key" in headers
    ):
        yield 409
    if "If-Match" in headers:
        yield 412
    yield 422
    if path != "/live":
        yield 503


def _response(status: int, text: str) -> dict[str, Any]:
    types = [each.type for each in refusals() if each.status == status]
    headers = {
        name: {"description": described, "required": True, "schema": schema}
        for name, (described, schema) in _HEADERS.get(status, {}).items()
    }
    body = {
        "allOf": [{"$ref": "#/components/schemas/ProblemOut"}],
        "properties": {"type": {"enum": types}, "status": {"const": status}},
    }
    return {
        "description": f"{text}.\n\n" + "\n".join(f"- `{each}`" for each in types),
        **({"headers": headers} if headers else {}),
        "content": {MEDIA_TYPE: {"schema": body}},
    }


def _tree(kind: type[RotaError]) -> Iterator[type[RotaError]]:
    for each in kind.__subclasses__():
        yield each
        yield from _tree(each)


def _is_told(kind: type[RotaError]) -> bool:
    """Those of the two lists of errors; what an adapter calls its own troubles never gets so far."""
    return kind.__module__ in (domain_errors.__name__, http_errors.__name__)


def _status(kind: type[RotaError]) -> int:
    return next(STATUS[each] for each in kind.__mro__ if each in STATUS)
