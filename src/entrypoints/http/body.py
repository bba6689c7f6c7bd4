"""Bodies: read once, within bounds, and validated whole."""

from __future__ import annotations

import asyncio
import re
from typing import Any, Final, Generic, TypeVar

import orjson
from fastapi import Request
from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from rota.domain.errors import InvalidError
from rota.entrypoints.http.caller import Caller
from rota.entrypoints.http.errors import TooLargeError, TooSlowError, UnreadableError
from rota.entrypoints.http.parameters import no_parameters
from rota.entrypoints.http.wire.base import MOST_ITEMS, TOO_DEEP, Body
from rota.entrypoints.http.wire.faults import path, refusal
from rota.entrypoints.http.wire.patch import Document
from rota.entrypoints.http.writers import note_asked

Shape = TypeVar("Shape", bound=Body)

MOST_BYTES: Final = 8 * 1024 * 1024
SLOWEST: Final = 60.0
"""Seconds in which a body must have come."""


class JsonBody(Generic[Shape]):
    """A dependency: one object. `or_none` says that no body at all is an empty one."""

    def __init__(self, shape: type[Shape], *, or_none: bool = False) -> None:
        self._shape = TypeAdapter(shape)
        self._or_none = or_none

    async def __call__(self, request: Request) -> Shape:
        raw = await _read(request)
        value = {} if self._or_none and not raw else parse(raw)
        try:
            body = self._shape.validate_python(value)
        except ValidationError as error:
            raise refusal(error) from error
        _caller(request).must_own(body.tenant_id, "tenantId")
        return body


class JsonBatch(Generic[Shape]):
    """A dependency: a bare list of objects, at most 1,000."""

    def __init__(self, shape: type[Shape]) -> None:
        self._shape = TypeAdapter(list[shape])  # type: ignore[valid-type]  # a type given at run time

    async def __call__(self, request: Request) -> list[Shape]:
        value = parse(await _read(request))
        if isinstance(value, list) and len(value) > MOST_ITEMS:
            raise InvalidError(f"a batch has at most {MOST_ITEMS:,} items", str(MOST_ITEMS))
        try:
            bodies: list[Shape] = self._shape.validate_python(value)
        except ValidationError as error:
            raise refusal(error) from error
        caller = _caller(request)
        for index, body in enumerate(bodies):
            caller.must_own(body.tenant_id, f"{index}.tenantId")
        return bodies


class MergePatch:
    """A dependency: an RFC 7396 patch, checked later against what it patches. `known` are the call's parameters."""

    def __init__(self, *known: str) -> None:
        self._known = known

    async def __call__(self, request: Request) -> Document:
        patch = parse(await _read(request, *self._known))
        if not isinstance(patch, dict):
            raise InvalidError("must be an object")
        said = patch.pop("tenantId", None)
        if said is not None and not isinstance(said, str):
            raise InvalidError("must be a text", "tenantId")
        _caller(request).must_own(said, "tenantId")
        return patch


merge_patch: Final = MergePatch()


class RawBody:
    """A dependency: a file of at most so many KiB. `known` are the call's parameters."""

    def __init__(self, *known: str, most_kib: int) -> None:
        self._known = known
        self._most_kib = most_kib

    async def __call__(self, request: Request) -> bytes:
        raw = await _read(request, *self._known)
        if len(raw) > self._most_kib * 1024:
            raise TooLargeError(f"the file has at most {self._most_kib:,} KiB")
        return raw


def parse(raw: bytes) -> Any:  # Any: JSON
    """Raises UnreadableError, or InvalidError for JSON that is nested too deep to be read.

    Both parsers are needed: only orjson refuses a number that no float holds, and only pydantic's
    keeps integers beyond 64 bits whole, so that they can be refused where they stand.
    """
    try:
        orjson.loads(raw)
        return from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        if "limit exceeded" in str(error):
            raise InvalidError(TOO_DEEP, _deepest(raw)) from error
        raise UnreadableError(f"the body is not JSON: {error}") from error


def _caller(request: Request) -> Caller:
    """Known before the body is read: every endpoint takes its caller first."""
    caller: Caller = request.state.caller
    return caller


async def _read(request: Request, *known: str) -> bytes:
    no_parameters(request, *known)
    said = request.headers.get("content-length", "0")
    if len(said) > 18 or (said.isdecimal() and int(said) > MOST_BYTES):
        raise TooLargeError(_TOO_LARGE)
    body = bytearray()
    try:
        async with asyncio.timeout(SLOWEST):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MOST_BYTES:
                    raise TooLargeError(_TOO_LARGE)
    except TimeoutError as error:
        raise TooSlowError(f"the body did not come within {SLOWEST:g} seconds") from error
    raw = bytes(body)
    note_asked(request, raw)
    return raw


_TOO_LARGE: Final = "a body has at most 8 MiB"
_PARSED: Final = 200  # levels that pydantic's parser reads
_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{},:]')


def _deepest(raw: bytes) -> str:
    """The field that holds the first place that is too deep, down to the payload, or as far as it has names."""
    stack: list[list[Any]] = []
    last = b""
    for token in _TOKEN.finditer(raw):
        sign = token[0]
        if sign in b"[{":
            stack.append([0 if sign == b"[" else None])
            if len(stack) > _PARSED:
                break
        elif sign in b"]}":
            del stack[-1:]
        elif sign == b":" and stack:
            stack[-1][0] = last[1:-1].decode(errors="replace")
        elif sign == b"," and stack and isinstance(stack[-1][0], int):
            stack[-1][0] += 1
        last = sign
    parts = [level[0] for level in stack]
    return path(parts[: parts.index("payload") + 1] if "payload" in parts else parts[:1])
