"""What a message of the bus says to the schedules that listen."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

from rota.application.json import dump, load
from rota.application.ports.event_inbox import EventMessage
from rota.domain.errors import InvalidError
from rota.domain.ids import RunId, ScheduleId
from rota.domain.json_pointer import pointed_at
from rota.domain.payload import Json

MOST_BYTES = 256 * 1024
MOST_NESTING = 64
MOST_ID = 200
MOST_CORRELATION = 200

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_CLOCKS_APART = timedelta(minutes=1)
_EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class HeardEvent:
    """`payload` is the body if it is JSON, else a JSON string of its text; None where there is no body."""

    message: EventMessage
    payload: Json | None
    document: object

    @property
    def subject(self) -> str:
        return self.message.subject

    @property
    def at(self) -> datetime:
        """When the stream stored it."""
        return self.message.at

    @cached_property
    def id(self) -> str:
        """The message's: given by its header, else the CloudEvent's, else its place in the stream."""
        told = self.message.headers.get("Nats-Msg-Id") or self._attribute("id") or self.message.place
        return told if len(told) <= MOST_ID and told.isprintable() else _digest(told.encode(errors="replace"))

    @cached_property
    def moment(self) -> datetime:
        """The same for a message that is stored a second time: its id's, if that has one, else the CloudEvent's own.

        Not later than it was stored, some difference of clocks aside: nobody dates a run into the future.
        """
        own = _moment_of_id(self.id) or _moment(self._attribute("time"))
        return own if own is not None and _EPOCH <= own <= self.at + _CLOCKS_APART else self.at

    @property
    def correlation_id(self) -> str | None:
        told = self._attribute("correlationid")
        return told if told and len(told) <= MOST_CORRELATION and told.isprintable() else None

    @property
    def traceparent(self) -> str | None:
        told = self.message.headers.get("traceparent") or self._attribute("traceparent") or ""
        return told if _TRACEPARENT.fullmatch(told) else None

    @property
    def sender(self) -> RunId | None:
        """The run whose delivery to a queue this is."""
        try:
            return RunId(UUID(self.message.headers["Rota-Run-Id"]))
        except (KeyError, ValueError):
            return None

    def satisfies(self, wanted: tuple[tuple[str, str], ...]) -> bool:
        """Whether each JSON Pointer leads to its value, told as a JSON text."""
        return all(pointed_at(pointer, self.document) == text for pointer, text in wanted)

    def comes_from(self, schedule_id: ScheduleId) -> bool:
        """Whether it tells of the schedule, or of a run of it, or was sent by one."""
        if not self._cloud_event or self._attribute("source") != "rota":
            return False
        data = self._cloud_event.get("data")
        own = str(schedule_id)
        return self._attribute("subject") == own or (isinstance(data, dict) and data.get("scheduleId") == own)

    @cached_property
    def _cloud_event(self) -> Mapping[str, Any]:  # Any: JSON
        """Empty if it is none."""
        is_one = isinstance(self.document, dict) and "specversion" in self.document
        return self.document if is_one else {}  # type: ignore[return-value]  # the line above has looked

    def _attribute(self, name: str) -> str | None:
        value = self._cloud_event.get(name)
        return value if isinstance(value, str) and value else None


def read_event(message: EventMessage) -> HeardEvent:
    """Raises InvalidError for one that is too large or too deep to be a payload."""
    if not message.body:
        return HeardEvent(message, None, None)
    try:
        document = load(message.body)
        text = message.body.decode()
    except ValueError:
        document = message.body.decode(errors="replace")
        text = dump(document)
    if len(text.encode()) > MOST_BYTES:
        raise InvalidError(f"must be at most {MOST_BYTES // 1024} KiB")
    if _depth(document) > MOST_NESTING:
        raise InvalidError(f"must not be nested deeper than {MOST_NESTING}")
    return HeardEvent(message, Json(text), document)


def event_run_id(schedule_id: ScheduleId, event: HeardEvent) -> RunId:
    """The id of the one run that the message makes of the schedule: a UUIDv7, and always the same."""
    spread = int(_digest(schedule_id.bytes + event.id.encode()), 16) & (1 << 74) - 1
    milliseconds = (event.moment - _EPOCH) // timedelta(milliseconds=1)
    return RunId(UUID(int=milliseconds << 80 | 0x7 << 76 | spread >> 62 << 64 | 0b10 << 62 | spread & (1 << 62) - 1))


def _moment_of_id(told: str) -> datetime | None:
    """When a UUIDv7 was made."""
    try:
        made = UUID(told)
        return _EPOCH + timedelta(milliseconds=made.int >> 80) if made.version == 7 else None
    except (ValueError, OverflowError):  # no UUID, or one from beyond the calendar
        return None


def _moment(told: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(told or "")
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _digest(told: bytes) -> str:
    return hashlib.sha256(told).hexdigest()


def _depth(document: object) -> int:
    depth, level = 0, [document]
    while level := [value for value in level if isinstance(value, dict | list)]:
        depth += 1
        level = [inner for value in level for inner in (value.values() if isinstance(value, dict) else value)]
    return depth
