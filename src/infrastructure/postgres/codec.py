"""JSON in and out: one place that knows how instants, ids and carried JSON are written."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson

from rota.application.views import RawJson


def dump(value: object) -> str:
    return orjson.dumps(value, default=_other, option=orjson.OPT_UTC_Z).decode()


def load(text: str) -> Any:  # Any: JSON
    return orjson.loads(text)


def _other(value: object) -> object:
    if isinstance(value, RawJson):
        return orjson.Fragment(value.text)
    if isinstance(value, UUID):  # asyncpg's own kind
        return str(value)
    if isinstance(value, (frozenset, set, tuple)):
        return list(value)
    raise TypeError(f"no JSON for {type(value).__name__}")
