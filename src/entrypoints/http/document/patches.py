"""The shape of a merge patch (RFC 7396), made from the shape of what it patches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rota.entrypoints.http.wire.patch import WHOLE

Schema = dict[str, Any]  # Any: JSON Schema

_PREFIX: Final = "#/components/schemas/"


def add_patch(schemas: dict[str, Schema], name: str) -> None:
    """Adds `SchedulePatch` for `ScheduleIn`, and the patches that it is made of."""
    own = patch_name(name)
    if own in schemas:
        return
    shape = schemas[name]
    needed = shape.get("required", ())
    schemas[own] = shape | {
        "title": own,
        "description": f"What is to change of {name}: what is left out stays, null is a field's default.",
        "properties": {
            field: _changed(schemas, field, schema, is_needed=field in needed)
            for field, schema in shape["properties"].items()
        },
    }
    schemas[own].pop("required", None)


def patch_name(name: str) -> str:
    return name.removesuffix("In") + "Patch"


def _changed(schemas: dict[str, Schema], field: str, schema: Schema, *, is_needed: bool) -> Schema:
    """A field that must be there cannot be null; what a field holds until it is said goes without saying."""
    kept = {key: value for key, value in schema.items() if key != "default"}
    if field in WHOLE:
        return kept
    shapes = [_merged(schemas, each) for each in _alternatives(kept)]
    if not is_needed and {"type": "null"} not in shapes and not _takes_all(kept):
        shapes.append({"type": "null"})
    told: Schema = {key: kept[key] for key in ("description", "examples") if key in kept}
    return shapes[0] if len(shapes) == 1 else {"anyOf": shapes, **told}


def _alternatives(schema: Schema) -> list[Schema]:
    return list(schema.get("anyOf", [schema]))


def _takes_all(schema: Mapping[str, Any]) -> bool:
    """Any JSON, or null beside another type."""
    return "null" in schema.get("type", ()) if "type" in schema else not {"$ref", "anyOf", "enum"} & schema.keys()


def _merged(schemas: dict[str, Schema], schema: Schema) -> Schema:
    """Objects are merged, and so are maps, in which null takes a name away."""
    name = schema.get("$ref", "").removeprefix(_PREFIX)
    if name and "properties" in schemas[name]:
        add_patch(schemas, name)
        return {"$ref": _PREFIX + patch_name(name)}
    values = schema.get("additionalProperties")
    if isinstance(values, dict):
        return schema | {"additionalProperties": {"anyOf": [values, {"type": "null"}]}}
    return schema
