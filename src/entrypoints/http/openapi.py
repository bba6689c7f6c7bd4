"""The OpenAPI document: what FastAPI knows of the routes, with the bodies and the problems that it does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from pydantic import BaseModel, Field

from rota.entrypoints.http.document.patches import patch_name
from rota.entrypoints.http.document.whole import whole
from rota.entrypoints.http.wire.base import MOST_ITEMS, Answer, Body

_REF: Final = "#/components/schemas/{model}"


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
    patch = {"$ref": _REF.format(model=patch_name(shape.__name__))}
    return _body({kind: {"schema": patch} for kind in ("application/merge-patch+json", "application/json")})


def takes_file(media_type: str) -> dict[str, Any]:
    """For a route: its body is a file."""
    return _body({media_type: {"schema": {"type": "string"}}})


def answers_file(media_type: str, text: str) -> dict[int | str, dict[str, Any]]:
    """For a route: its answer is a file."""
    return {200: {"description": text, "content": {media_type: {"schema": {"type": "string"}}}}}


def describe(app: FastAPI, routers: Sequence[APIRouter]) -> None:
    """Has the app answer with the whole document."""
    made: dict[str, Any] = {}

    def document() -> dict[str, Any]:
        if not made:
            shapes: list[type[BaseModel]] = [*Body.__subclasses__(), ProblemOut]
            made.update(whole(app, routers, shapes, _REF))
        return made

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's own way of extending it


def _body(content: dict[str, Any], *, is_needed: bool = True) -> dict[str, Any]:
    return {"requestBody": {"required": is_needed, "content": content}}


def _ref(shape: type[Any]) -> dict[str, str]:
    return {"$ref": _REF.format(model=shape.__name__)}
