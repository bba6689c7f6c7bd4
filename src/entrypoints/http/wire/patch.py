"""Merge patches (RFC 7396) on a resource of the contract, where null stands for a field's default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias, TypeVar, get_args

from pydantic import ValidationError

from rota.entrypoints.http.wire.base import Wire
from rota.entrypoints.http.wire.faults import refusal

Shape = TypeVar("Shape", bound=Wire)
Document: TypeAlias = dict[str, Any]  # Any: JSON
Fields: TypeAlias = Mapping[str, object]

WHOLE: Final = frozenset({"trigger", "target"})
"""A trigger of another type has other fields, and so has a target: these two are replaced, not merged."""


def patched(shape: type[Shape], standing: Document, patch: Document) -> Shape:
    """What stands, as far as `shape` can say it, after the patch. Raises InvalidError naming every fault."""
    fields = _fields_of(shape) or {}
    document = _merged(fields, {name: value for name, value in standing.items() if name in fields}, patch)
    try:
        return shape.model_validate(document)
    except ValidationError as error:
        raise refusal(error) from error


def _merged(fields: Fields | None, standing: Document, patch: Document) -> Document:
    """A null for a name that is not among the fields stays, to be refused. `fields` None: all names are free."""
    document = dict(standing)
    for name, value in patch.items():
        if value is None and (fields is None or name in fields):
            document.pop(name, None)
        elif isinstance(value, dict) and name not in WHOLE:
            inner = document.get(name)
            within = _fields_of(fields.get(name)) if fields else None
            document[name] = _merged(within, inner if isinstance(inner, dict) else {}, value)
        else:
            document[name] = value
    return document


def _fields_of(shape: object) -> Fields | None:
    """The names and types of an object's fields as they are on the wire, also where it may be null; None for what is
    no `Wire`.
    """
    shapes = [each for each in get_args(shape) or (shape,) if isinstance(each, type) and issubclass(each, Wire)]
    if len(shapes) != 1:
        return None
    return {str(field.alias): field.annotation for field in shapes[0].model_fields.values()}
