"""A call of the HTTP API, as a value: what is sent, and what its answer is read as."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from enum import Enum
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote
from uuid import uuid4

import orjson
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)
Query = Mapping[str, str | Sequence[str]]

JSON: Final = "application/json"
I_CALENDAR: Final = "text/calendar"
WHOLE_PAGE: Final = 200

_OPTIONS: Final = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request, however often it is tried."""

    method: str
    path: str
    read: Callable[[bytes], T]
    query: Query = field(default_factory=dict)
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    if_match: int | None = None

    def after(self, cursor: str) -> Call[T]:
        """The same list, from there on: where it began is no longer said."""
        wanted = {name: value for name, value in self.query.items() if name != "after"}
        return replace(self, query={**wanted, "cursor": cursor})


def get(path: str, answer: type[M], filters: Mapping[str, object] | None = None) -> Call[M]:
    return Call("GET", path, answer.model_validate_json, query_of(filters or {}))


def get_file(path: str, filters: Mapping[str, object]) -> Call[bytes]:
    return Call("GET", path, bytes, query_of(filters))


def post(path: str, answer: type[M], body: object, key: str | None = None) -> Call[M]:
    """`key` is its idempotency key; without one it has a fresh one, which all tries of the call share."""
    return _post(path, answer, encode(body), JSON, key)


def post_file(
    path: str, answer: type[M], file: bytes, content_type: str, filters: Mapping[str, object], key: str | None
) -> Call[M]:
    return replace(_post(path, answer, file, content_type, key), query=query_of(filters))


def patch(
    path: str,
    answer: type[M],
    change: Mapping[str, object],
    if_match: int | None,
    filters: Mapping[str, object] | None = None,
) -> Call[M]:
    headers = {"Content-Type": JSON, **_matching(if_match)}
    query = query_of(filters or {})
    return Call("PATCH", path, answer.model_validate_json, query, encode(change), headers, if_match)


def delete(path: str, if_match: int | None = None) -> Call[None]:
    return Call("DELETE", path, _nothing, headers=_matching(if_match), if_match=if_match)


def part(name: str) -> str:
    """`name` as one step of a path, whatever is in it."""
    return quote(name, safe="")


def said(order: Mapping[str, Any]) -> dict[str, Any]:
    """Python keeps `from` for itself: here it may be called `from_`."""
    return {name.removesuffix("_"): value for name, value in order.items()}


def query_of(filters: Mapping[str, object]) -> dict[str, str | Sequence[str]]:
    """`{"enabled": True}` as the server reads it; a filter that is None is none, one that is a list is said often."""
    return {name: _text(value) for name, value in said(filters).items() if value is not None}


def encode(value: object) -> bytes:
    """JSON of whatever pydantic can write. A time without an offset is sent without one: the server reads it as local
    where local times are allowed, and refuses it where they are not. Raises TypeError or ValueError.
    """
    return orjson.dumps(value, default=_plain, option=_OPTIONS)


def _plain(value: object) -> Any:  # Any: JSON
    return value.total_seconds() if isinstance(value, timedelta) else to_jsonable_python(value)


def _post(path: str, answer: type[M], body: bytes, content_type: str, key: str | None) -> Call[M]:
    headers = {"Content-Type": content_type, "Idempotency-Key": str(uuid4()) if key is None else key}
    return Call("POST", path, answer.model_validate_json, body=body, headers=headers)


def _matching(version: int | None) -> dict[str, str]:
    return {} if version is None else {"If-Match": f'"{version}"'}


def _nothing(content: bytes) -> None:
    return None


def _text(value: object) -> str | Sequence[str]:
    if isinstance(value, list | tuple):
        return [_one(each) for each in value]
    return _one(value)


def _one(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case date():  # a datetime is one too
            return value.isoformat()
        case Enum():
            return str(value.value)
    return str(value)
