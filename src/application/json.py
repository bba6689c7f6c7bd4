"""JSON as Rota writes it: one place that knows how instants, ids and carried JSON are written."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson

from rota.application.views.values import RawJson


def dump(value: object) -> str:
    return dump_bytes(value).decode()


def dump_bytes(value: object) -> bytes:
    return orjson.dumps(value, default=_other, option=orjson.OPT_UTC_Z)


def load(text: str | bytes) -> Any:  # Any: JSON
    return orjson.loads(text)


def _other(value: object) -> object:
    if isinstance(value, RawJson):
        return orjson.Fragment(value.text)
    if isinstance(value, UUID):  # a driver's own kind of it
        return str(value)
    if isinstance(value, frozenset | set | tuple):
        return list(value)
    raise TypeError(f"no JSON for {type(value).__name__}")
