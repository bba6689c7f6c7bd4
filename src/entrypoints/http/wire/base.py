"""What every shape on the wire shares: camelCase, nothing unknown, nothing guessed, and the values they are made of."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from rota.application.json import dump_bytes
from rota.domain.errors import InvalidError
from rota.domain.ids import printable_name
from rota.domain.labels import MAX_LABEL_LENGTH, MAX_LABELS
from rota.domain.payload import Json
from rota.domain.terms import MAX_TIMEOUT, PRIORITIES

SLUG: Final = "^[a-z0-9][a-z0-9_-]{0,62}$"
MOST_ITEMS: Final = 1_000
MOST_PAYLOAD_KIB: Final = 256
MOST_SCHEMA_KIB: Final = 64
MOST_NESTING: Final = 64
MOST_SECONDS: Final = 100 * 366 * 86_400
MOST_COUNT: Final = 2**53 - 1
YEARS: Final = range(1970, 9998)


class Wire(BaseModel):
    """A value of another type is refused, also where it could be turned into the right one."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", strict=True, frozen=True)


class Body(Wire):
    """A request's body, or one item of a batch. `tenant_id` may be said, and must then be the caller's."""

    tenant_id: Annotated[str | None, Field(json_schema_extra={"format": "tenant"})] = None


class Answer(BaseModel):
    """The shape of an answer, for the OpenAPI document; the answers themselves come from `application.views`."""

    model_config = ConfigDict(alias_generator=to_camel)


class inside:
    """`with inside("trigger"):` what the domain finds wrong in here is wrong in that field."""

    __slots__ = ("_field",)

    def __init__(self, field: str) -> None:
        self._field = field

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, InvalidError):
            raise error.under(self._field) from error


def bounds(least: float, most: float) -> Any:  # Any: pydantic's FieldInfo, as its own `Field` says
    """For the OpenAPI document only: between which the domain will find a number valid."""
    return Field(json_schema_extra={"minimum": least, "maximum": most})


def _whole(value: object) -> object:
    """To JSON 3.0 is an integer (JSON Schema, 4.2.3), and some write it so."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def seconds(value: float) -> timedelta:
    return timedelta(seconds=value)


def seconds_or_none(value: float | None) -> timedelta | None:
    return None if value is None else seconds(value)


# Times. RFC 3339, section 5.6; a leap second is not read.

_LOCAL: Final = r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?"
_INSTANT_OR_LOCAL: Final = re.compile(rf"{_LOCAL}([Zz]|[+-]\d\d:\d\d)?", re.ASCII)


def instant(text: object) -> datetime:
    """In UTC."""
    moment = instant_or_local(text)
    if moment.tzinfo is None:
        raise PydanticCustomError("instant", "must have an offset, as in 2026-01-31T09:00:00Z")
    return moment


def instant_or_local(text: object) -> datetime:
    """In UTC, or naive where the text has no offset."""
    if not isinstance(text, str) or not _INSTANT_OR_LOCAL.fullmatch(text):
        raise PydanticCustomError("instant", "must be an RFC 3339 time, as in 2026-01-31T09:00:00Z")
    try:
        moment = datetime.fromisoformat(text.upper())
        moment = moment if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise PydanticCustomError("instant", "there is no such time") from error
    if moment.year not in YEARS:
        raise PydanticCustomError("instant", f"must lie in the years {YEARS[0]} to {YEARS[-1]}")
    return moment


_LOCAL_TIME: Final = re.compile(r"\d\d:\d\d(:\d\d)?", re.ASCII)


def local_time(text: object) -> time:
    if not isinstance(text, str) or not _LOCAL_TIME.fullmatch(text):
        raise PydanticCustomError("time", "must be a local time, as in 09:30 or 09:30:00")
    try:
        return time.fromisoformat(text)
    except ValueError as error:
        raise PydanticCustomError("time", "there is no such time") from error


_DATE_TIME: Final = {
    "type": "string",
    "format": "date-time",
    "description": f"RFC 3339, in the years {YEARS[0]} to {YEARS[-1]}.",
}

Instant = Annotated[datetime, PlainValidator(instant), WithJsonSchema(_DATE_TIME)]
InstantOrLocal = Annotated[
    datetime,
    PlainValidator(instant_or_local),
    WithJsonSchema({"type": "string", "description": "RFC 3339; without an offset it is local time."}),
]
LocalTime = Annotated[
    time, PlainValidator(local_time), WithJsonSchema({"type": "string", "examples": ["09:30", "09:30:00"]})
]
Ref = Annotated[UUID, Field(strict=False)]
Seconds = Annotated[float, Field(ge=0, le=MOST_SECONDS)]
Timeout = Annotated[Seconds, bounds(1e-6, MAX_TIMEOUT.total_seconds())]
AS_WHOLE: Final = BeforeValidator(_whole)
Whole = Annotated[int, AS_WHOLE]
Count = Annotated[int, Field(ge=0, le=MOST_COUNT), AS_WHOLE]
Priority = Annotated[int, Field(ge=PRIORITIES[0], le=PRIORITIES[-1]), AS_WHOLE]


# Texts. Postgres holds no NUL in a text, so none is let in.


def _printable(text: str) -> str:
    try:
        return printable_name(text)
    except InvalidError as error:
        raise PydanticCustomError("text", "{why}", {"why": error.faults[0].message}) from error


def _without_nul(text: str) -> str:
    if "\x00" in text:
        raise PydanticCustomError("text", "must not contain NUL")
    return text


Name = Annotated[
    str, AfterValidator(_printable), Field(json_schema_extra={"minLength": 1, "maxLength": 200, "format": "printable"})
]
Text = Annotated[str, AfterValidator(_without_nul), Field(json_schema_extra={"pattern": "^[^\\x00]*$"})]
Note = Annotated[
    str,
    StringConstraints(max_length=2_000),
    AfterValidator(_without_nul),
    Field(json_schema_extra={"pattern": "^[^\\x00]*$"}),
]
_LABELS: Final[dict[str, Any]] = {  # Any: JSON Schema
    "maxProperties": MAX_LABELS,
    "propertyNames": {"minLength": 1, "maxLength": MAX_LABEL_LENGTH, "format": "printable"},
    "additionalProperties": {"type": "string", "maxLength": MAX_LABEL_LENGTH, "format": "printable"},
}

Labels = Annotated[dict[str, str], Field(default_factory=dict, json_schema_extra=_LABELS)]
Queue = Annotated[str, Field(json_schema_extra={"pattern": SLUG})]
Zone = Annotated[str, Field(json_schema_extra={"format": "time-zone"}, examples=["Europe/Berlin"])]
JobName = Annotated[Name, Field(json_schema_extra={"format": "job-name"}, examples=["reports.daily"])]


# Carried JSON


def carried(value: object) -> Json | None:
    """The JSON text of a payload; null is none."""
    return None if value is None else carried_or_null(value)


def carried_or_null(value: object) -> Json:
    return _json_text(value, MOST_PAYLOAD_KIB)


def carried_schema(value: object) -> Json | None:
    """Whether it is one is for `PayloadRules` to say."""
    if value is None:
        return None
    if not isinstance(value, dict):
        raise PydanticCustomError("payload", "must be a JSON Schema, written as an object")
    return _json_text(value, MOST_SCHEMA_KIB)


def compared(value: object) -> Json:
    """The JSON text of a value that others are compared with: equal values have equal texts."""
    return Json(json.dumps(json.loads(carried_or_null(value)), sort_keys=True, separators=(",", ":")))


def _json_text(value: object, most_kib: int) -> Json:
    try:
        text = dump_bytes(value)
    except TypeError as error:
        raise PydanticCustomError("payload", "an integer in it goes beyond 64 bits") from error
    if len(text) > most_kib * 1024:
        raise PydanticCustomError("payload", "must be at most {most} KiB", {"most": most_kib})
    if is_nested_deeper(text, MOST_NESTING):
        raise PydanticCustomError("payload", TOO_DEEP)
    return Json(text.decode())


TOO_DEEP: Final = f"must not be nested deeper than {MOST_NESTING}"

_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*"')
_ALL_ALIKE: Final = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))


def is_nested_deeper(text: bytes, most: int) -> bool:
    """Whether valid JSON is. Leaf brackets are taken away, a level at a time: no walk in Python comes near that."""
    if text.count(b"[") + text.count(b"{") <= most:
        return False
    brackets = _STRING.sub(b"", text).translate(_ALL_ALIKE, _NO_BRACKETS)
    for _ in range(most):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)


_ANY_JSON: Final = {"description": "Any JSON: at most 256 KiB, nested at most 64 deep, integers of at most 64 bits."}

Payload = Annotated[Json | None, PlainValidator(carried), WithJsonSchema(_ANY_JSON)]
PayloadOrNull = Annotated[Json | None, PlainValidator(carried_or_null), WithJsonSchema(_ANY_JSON)]
PayloadSchema = Annotated[
    Json | None,
    PlainValidator(carried_schema),
    WithJsonSchema({"type": ["object", "null"], "description": "A JSON Schema of at most 64 KiB."}),
]
Compared = Annotated[Json, PlainValidator(compared), WithJsonSchema(_ANY_JSON)]
