"""The event log on the wire: what may be asked of it, and how it is answered and streamed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Final
from uuid import UUID

from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from rota.application.json import dump_bytes
from rota.application.ports.log import EventFilter, LogEntry, Stretch
from rota.application.views.events import event_view
from rota.application.views.values import View
from rota.domain.errors import InvalidError
from rota.entrypoints.http.errors import UnreadableError
from rota.entrypoints.http.wire.base import MOST_COUNT
from rota.entrypoints.http.wire.events import EventOut
from rota.entrypoints.http.wire.lists import DEFAULT, AtMost, PageOut, Parameters, cursor_of, read_cursor

AGGREGATES: Final = ("schedule", "job", "calendar", "run", "worker")

_TYPE: Final = re.compile(rf"(?:scheduler\.)?({'|'.join(AGGREGATES)})(?:\.([a-z]{{1,40}}|\*))?")
_PLACE: Final = re.compile(r"\d{1,18}", re.ASCII)


def _event_type(text: str) -> str:
    if _TYPE.fullmatch(text) is None:
        known = ", ".join(AGGREGATES)
        raise PydanticCustomError(
            "type", "must be as in scheduler.run.failed or scheduler.run.*, of one of {known}", {"known": known}
        )
    return text


EventType = Annotated[
    str,
    AfterValidator(_event_type),
    WithJsonSchema({"type": "string", "examples": ["scheduler.run.failed", "scheduler.run.*"]}),
]
Sequence64 = Annotated[int, Field(ge=0, le=MOST_COUNT)]


class FollowQuery(Parameters):
    """`type` is one event's, or `scheduler.run.*` for all of runs; `subject` the id of one aggregate.

    `after` is a `sequence`: what comes later is told. For a stream that goes on, `Last-Event-ID` counts instead.
    """

    after: Sequence64 | None = None
    type: EventType | None = None
    subject: UUID | None = None

    def wanted(self) -> EventFilter:
        said = _TYPE.fullmatch(self.type or "")
        aggregate, event = said.groups() if said else (None, None)
        return EventFilter(aggregate=aggregate, event=None if event == "*" else event, subject=self.subject)


class EventLogQuery(FollowQuery):
    """The oldest first. `cursor` is a list's `nextCursor`; it goes on where that ended."""

    limit: AtMost = DEFAULT
    cursor: str | None = Field(default=None, max_length=200)

    def place(self) -> int:
        """Raises InvalidError."""
        if self.cursor is None:
            return self.after or 0
        if self.after is not None:
            raise InvalidError("does not go together with after", "cursor")
        return _read_place(self.cursor)


def _read_place(cursor: str) -> int:
    place = read_cursor(cursor, int)
    if not 0 <= place <= MOST_COUNT:
        raise InvalidError("is not one that a list has answered", "cursor")
    return int(place)


class EventLogOut(PageOut[EventOut]):
    """Up to `lastSequence` there is nothing else that was asked for: a later call goes on `after` it.

    A page may have fewer events than `limit`, or none, and yet a `nextCursor`: so much of the log was looked at.
    """

    last_sequence: int


def stretch_view(stretch: Stretch) -> View:
    return {
        "items": [event_view(each) for each in stretch.entries],
        "nextCursor": None if stretch.is_end else cursor_of(str(stretch.reached)),
        "lastSequence": stretch.reached,
    }


# Server-sent events. They have no `event:` field, so that a browser's `onmessage` hears them all.

HEARTBEAT: Final = b": heartbeat\n\n"


def last_event_id(said: str | None) -> int | None:
    """Raises UnreadableError."""
    if said is None or said == "":
        return None
    if _PLACE.fullmatch(said) is None:
        raise UnreadableError("must be the id of an event of this stream", "Last-Event-ID")
    return min(int(said), MOST_COUNT)


def opening(place: int) -> bytes:
    """An id without data is kept by a client and told nobody: it resumes here even where nothing came."""
    return b"retry: 2000\nid: %d\n\n" % place


_BREAKS: Final = {sign.encode(): b"\\u%04x" % ord(sign) for sign in "\x85\u2028\u2029"}
"""Within a JSON text they may be escaped; some clients take them for the end of a line, which they are not."""


def frames(entries: Sequence[LogEntry]) -> bytes:
    text = b"".join(b"id: %d\ndata: %b\n\n" % (each.position, dump_bytes(event_view(each))) for each in entries)
    for sign, escaped in _BREAKS.items():
        text = text.replace(sign, escaped)
    return text
