"""The calls of the HTTP client that read the event log, and follow it."""

import asyncio
import random
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar

import httpx
from pydantic import BaseModel, ConfigDict, TypeAdapter

from rota.entrypoints.sdk.calls import Call
from rota.entrypoints.sdk.models import Page
from rota.entrypoints.sdk.problems import read_problem

T = TypeVar("T")

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


def list_events(filters: Mapping[str, object]) -> Call[EventPage]:
    query = {name: str(value) for name, value in filters.items() if value is not None}
    return Call("GET", "/events", TypeAdapter(EventPage), query=query)


class _Place:
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

    def goes_on_after(self, error: httpx.TransportError) -> float:
        """The seconds to wait. Raises the error where nothing was ever heard."""
        if not self._has_begun:
            raise error
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


class Following(ABC):
    """`Rota`'s."""

    _http: httpx.AsyncClient

    @abstractmethod
    async def _send(self, call: Call[T]) -> T: ...

    async def list_events(self, **filters: object) -> EventPage:
        """What has happened, the oldest first; filters `after` (a sequence), `type`, `subject`, `limit`, `cursor`."""
        return await self._send(list_events(filters))

    async def follow_events(
        self, *, after: int | None = None, type: str | None = None, subject: str | None = None
    ) -> AsyncIterator[Event]:
        """What happens, from now on or after that sequence, each event once and in order, without end.

        A link that is lost is made anew, and nothing is passed over. `type` is as in `scheduler.run.failed` or
        `scheduler.run.*`. Raises RotaError where the server refuses, httpx.TransportError where it was never reached.
        """
        place = _Place(after, type, subject)
        while True:
            try:
                async with self._http.stream("GET", STREAM, **place.request()) as answer:
                    if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                        if answer.is_error:
                            await answer.aread()
                            raise read_problem(answer)
                        place.begun()
                        async for line in answer.aiter_lines():
                            if (event := place.read(line)) is not None:
                                yield event
                pause = place.pause()
            except httpx.TransportError as error:
                pause = place.goes_on_after(error)
            await asyncio.sleep(pause)


class FollowingSync(ABC):
    """`RotaSync`'s."""

    _http: httpx.Client

    @abstractmethod
    def _send(self, call: Call[T]) -> T: ...

    def list_events(self, **filters: object) -> EventPage:
        return self._send(list_events(filters))

    def follow_events(
        self, *, after: int | None = None, type: str | None = None, subject: str | None = None
    ) -> Iterator[Event]:
        place = _Place(after, type, subject)
        while True:
            try:
                with self._http.stream("GET", STREAM, **place.request()) as answer:
                    if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                        if answer.is_error:
                            answer.read()
                            raise read_problem(answer)
                        place.begun()
                        for line in answer.iter_lines():
                            if (event := place.read(line)) is not None:
                                yield event
                pause = place.pause()
            except httpx.TransportError as error:
                pause = place.goes_on_after(error)
            time.sleep(pause)
