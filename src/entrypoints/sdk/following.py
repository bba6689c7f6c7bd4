"""Events, and how far one who follows them has come."""

import random
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import httpx
from pydantic import BaseModel, ConfigDict

from rota.entrypoints.sdk.errors import UnreachableError
from rota.entrypoints.sdk.models import Page

STREAM: Final = "/events/stream"
SILENCE: Final = httpx.Timeout(30.0, read=45.0)
"""The server says every 15 s that it is there."""
PAUSE_FIRST, PAUSE_MOST = 0.1, 5.0


class Event(BaseModel):
    """A CloudEvent. `sequence` is its place in the log, `aggregateseq` that in its aggregate's history."""

    model_config = ConfigDict(extra="allow", frozen=True)

    specversion: str
    id: str
    source: str
    type: str
    subject: str
    time: datetime
    datacontenttype: str = "application/json"
    tenantid: str
    sequence: int
    aggregateseq: int
    correlationid: str | None = None
    traceparent: str | None = None
    data: Mapping[str, Any]  # Any: depends on `type`


class EventPage(Page[Event]):
    """Up to `last_sequence` there is nothing else that was asked for."""

    last_sequence: int


class Place:
    """How far a follower has come, and how long it waits before it goes on after a loss."""

    def __init__(self, after: int | None, kind: str | None, subject: str | None) -> None:
        self._query = {"after": after, "type": kind, "subject": subject}
        self._last_id: str | None = None
        self._id: str | None = None
        self._data = ""
        self._pause = PAUSE_FIRST
        self._has_begun = False

    def request(self) -> dict[str, Any]:  # Any: httpx's own parameters
        params = {name: str(value) for name, value in self._query.items() if value is not None}
        headers = {"Accept": "text/event-stream"}
        if self._last_id is not None:
            headers["Last-Event-ID"] = self._last_id
        self._id, self._data = self._last_id, ""
        return {"params": params, "headers": headers, "timeout": SILENCE}

    def begun(self) -> None:
        self._has_begun = True
        self._pause = PAUSE_FIRST

    def goes_on_after(self, error: httpx.TransportError, url: str) -> float:
        """The seconds to wait. Raises UnreachableError where nothing was ever heard."""
        if not self._has_begun:
            raise UnreachableError(f"no server answers at {url}: {error or type(error).__name__}") from error
        return self.pause()

    def pause(self) -> float:
        pause = self._pause * random.uniform(0.5, 1.0)
        self._pause = min(self._pause * 2, PAUSE_MOST)
        return pause

    def read(self, line: str) -> Event | None:
        """The event that this line completes. An id counts once its event is whole: the link may break off before."""
        if not line:
            self._last_id = self._id
            data, self._data = self._data, ""
            return Event.model_validate_json(data) if data else None
        name, _, value = line.partition(":")
        if name == "id":
            self._id = value.removeprefix(" ")
        elif name == "data":
            self._data += value.removeprefix(" ")
        return None
