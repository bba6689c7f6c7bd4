"""The OpenAPI document: what FastAPI knows of the routes, with the bodies and the problems that it does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema

from rota.entrypoints.http.problems import MEDIA_TYPE
from rota.entrypoints.http.wire.base import MOST_ITEMS, Answer, Body
from rota.entrypoints.http.writers import declare

_REF: Final = "#/components/schemas/{model}"
_UNTRUE: Final = ("HTTPValidationError", "ValidationError")
_PROBLEMS: Final = {
    "4XX": "The call was refused; the problem document says why, and names the fields",
    "5XX": "It cannot be done now; 503 says with `Retry-After` when to try again",
}
_STALE: Final = {"412": "It is not what `If-Match` names any more"}


class FaultOut(Answer):
    """`field` is the path to it, as in `17.trigger.cron`; empty for the whole body."""

    field: str
    message: str


class ProblemOut(Answer):
    """RFC 9457. `type` is stable."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[FaultOut] = Field(default_factory=list)


def takes(shape: type[Body], *, is_needed: bool = True) -> dict[str, Any]:
    """For a route: its body is one object."""
    return _body({"application/json": {"schema": _ref(shape)}}, is_needed=is_needed)


def takes_batch(shape: type[Body]) -> dict[str, Any]:
    """For a route: its body is a bare list of objects."""
    return _body({"application/json": {"schema": {"type": "array", "items": _ref(shape), "maxItems": MOST_ITEMS}}})


def takes_patch(shape: type[Body]) -> dict[str, Any]:
    """For a route: its body is an RFC 7396 patch of such an object."""
    patch = {
        "type": "object",
        "description": f"RFC 7396: what is to change of {shape.__name__}; null is a field's default. "
        "`trigger` and `target` are replaced whole.",
    }
    return _body({kind: {"schema": patch} for kind in ("application/merge-patch+json", "application/json")})


def takes_file(media_type: str) -> dict[str, Any]:
    """For a route: its body is a file."""
    return _body({media_type: {"schema": {"type": "string"}}})


def answers_file(media_type: str, text: str) -> dict[int | str, dict[str, Any]]:
    """For a route: its answer is a file."""
    return {200: {"description": text, "content": {media_type: {"schema": {"type": "string"}}}}}


def describe(app: FastAPI) -> None:
    """Has the app answer with the whole document."""
    made: dict[str, Any] = {}

    def document() -> dict[str, Any]:
        if not made:
            made.update(_completed(app))
        return made

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's own way of extending it


def _completed(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags
    )
    schemas: dict[str, Any] = document["components"]["schemas"]
    for name in _UNTRUE:
        schemas.pop(name, None)
    shapes: list[type[BaseModel]] = [*Body.__subclasses__(), ProblemOut]
    _, described = models_json_schema([(shape, "validation") for shape in shapes], ref_template=_REF)
    schemas.update(described["$defs"])
    for method, operation in _operations(document):
        operation["responses"].pop("422", None)
        declare(method, operation)
        for status, text in (_PROBLEMS | (_STALE if method in ("patch", "delete") else {})).items():
            operation["responses"][status] = {
                "description": text,
                "content": {MEDIA_TYPE: {"schema": _ref(ProblemOut)}},
            }
    return document


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in document["paths"].values():
        yield from path.items()


def _body(content: dict[str, Any], *, is_needed: bool = True) -> dict[str, Any]:
    return {"requestBody": {"required": is_needed, "content": content}}


def _ref(shape: type[Any]) -> dict[str, str]:
    return {"$ref": _REF.format(model=shape.__name__)}
