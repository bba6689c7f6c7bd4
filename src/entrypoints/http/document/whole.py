"""The OpenAPI document: what FastAPI knows of the routes, and all that it does not.

These are the bodies (which are read elsewhere), the headers, the refusals, the examples and the words.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from rota.entrypoints.http.caller import caller_of
from rota.entrypoints.http.document.examples import REQUESTS
from rota.entrypoints.http.document.headers import add_answered, add_asked
from rota.entrypoints.http.document.operations import OPERATIONS, PARAMETERS, TAGS
from rota.entrypoints.http.document.patches import add_patch
from rota.entrypoints.http.document.refusals import refusals_of, responses
from rota.entrypoints.http.writers import declare

Document = dict[str, Any]  # Any: OpenAPI

SERVERS: Final = (
    {"url": "/api/v1", "description": "The API"},
    {"url": "/", "description": "The same, for those that know no prefix"},
)
_UNTRUE: Final = ("HTTPValidationError", "ValidationError")
_RENAMED: Final = {
    "rota__domain__overlap__Overlap": "Overlap",
    "rota__domain__time__zone__Overlap": "DstOverlap",
    "rota__domain__attempt__Outcome": "AttemptOutcome",
    "rota__domain__explaining__explanation__Outcome": "StepOutcome",
}
"""What pydantic calls shapes that have their name from the same word."""


def whole(app: FastAPI, routers: Sequence[APIRouter], shapes: Sequence[type[BaseModel]], ref: str) -> Document:
    """`shapes` are those of the bodies; `ref` is where such a one is."""
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    schemas: dict[str, Any] = document["components"]["schemas"]
    for name in _UNTRUE:
        schemas.pop(name, None)
    _, described = models_json_schema([(shape, "validation") for shape in shapes], ref_template=ref)
    schemas.update(described["$defs"])
    for name in _patches(document):
        add_patch(schemas, name)
    document["components"]["responses"] = responses()
    of_tenants = set(_of_tenants(routers))
    for path, method, operation in _operations(document):
        add_asked(operation, method, is_of_tenant=operation["operationId"] in of_tenants)
        declare(method, operation)
        _tell(operation)
        add_answered(operation)
        operation["responses"].pop("422", None)
        operation["responses"] |= refusals_of(path, method, operation)
    used = {tag for _, _, operation in _operations(document) for tag in operation["tags"]}
    document["tags"] = [{"name": name, "description": text} for name, text in TAGS.items() if name in used]
    document["servers"] = list(SERVERS)
    _untitle(schemas)
    return _renamed(document)


def _tell(operation: Document) -> None:
    """In words and in examples."""
    if operation["operationId"] in OPERATIONS:
        operation["summary"], operation["description"] = OPERATIONS[operation["operationId"]]
    for parameter in operation.get("parameters", ()):
        parameter["schema"] = _plain(parameter["schema"])
        if parameter["name"] in PARAMETERS:
            parameter.setdefault("description", PARAMETERS[parameter["name"]])
    examples = {
        f"example-{number}": {"summary": text, "value": value}
        for number, (text, value) in enumerate(REQUESTS.get(operation["operationId"], {}).items(), 1)
    }
    if examples:
        for content in operation["requestBody"]["content"].values():
            content["examples"] = examples


def _plain(schema: Document) -> Document:
    """A parameter is there or is not: none is null."""
    shapes = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    kept: Document = {key: value for key, value in schema.items() if key not in ("anyOf", "title")}
    if len(shapes) == 1:
        kept |= shapes[0]
    elif shapes:
        kept["anyOf"] = shapes
    return kept


def _operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield path, method, operation


def _patches(document: Document) -> Iterator[str]:
    """The names of the shapes that can be patched."""
    for _, _, operation in _operations(document):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            name = content["schema"].get("$ref", "").rpartition("/")[2]
            if name.endswith("Patch"):
                yield name.removesuffix("Patch") + "In"


def _of_tenants(routers: Sequence[APIRouter]) -> Iterator[str]:
    """The ids of the operations that are answered for a tenant."""
    for route in (route for router in routers for route in router.routes):
        if isinstance(route, APIRoute) and any(each.call is caller_of for each in _tree(route.dependant)):
            yield route.name


def _untitle(schemas: Document) -> None:
    """Takes away the titles of fields: they say their names once more, without the capitals."""
    for schema in schemas.values():
        schema.pop("title", None)
        for field in schema.get("properties", {}).values():
            for each in (field, *field.get("anyOf", ())):
                each.pop("title", None)


def _tree(dependant: Dependant) -> Iterator[Dependant]:
    for each in dependant.dependencies:
        yield each
        yield from _tree(each)


def _renamed(document: Document) -> Document:
    text = json.dumps(document)
    for old, new in _RENAMED.items():
        text = text.replace(old, new)
    renamed: Document = json.loads(text)
    return renamed
