"""The client's calls about the event log."""

import asyncio
from collections.abc import AsyncIterator
from typing import Unpack

from httpx import TransportError, codes

from rota.entrypoints.sdk.api.sender import Sender
from rota.entrypoints.sdk.call import WHOLE_PAGE, get
from rota.entrypoints.sdk.definitions import EventFilters, EventPart
from rota.entrypoints.sdk.following import STREAM, Event, EventPage, Place
from rota.entrypoints.sdk.models import Page
from rota.entrypoints.sdk.problems import read_problem


class Events(Sender):
    async def list_events(self, **filters: Unpack[EventPart]) -> EventPage:
        """What has happened, the oldest first."""
        return await self._send(get("/events", EventPage, filters))

    def iter_events(self, **filters: Unpack[EventFilters]) -> AsyncIterator[Event]:
        return self._every(get("/events", Page[Event], {**filters, "limit": WHOLE_PAGE}))

    async def follow_events(self, **filters: Unpack[EventFilters]) -> AsyncIterator[Event]:
        """What happens, from now on or after a sequence, each event once and in order, without end.

        A link that is lost is made anew, and nothing is passed over. Raises RotaError where the server refuses, and
        UnreachableError where it was never reached.
        """
        place = Place(filters.get("after"), filters.get("type"), filters.get("subject"))
        while True:
            try:
                async with self._http.stream("GET", STREAM, **place.request()) as answer:
                    if answer.status_code != codes.SERVICE_UNAVAILABLE:
                        if answer.is_error:
                            await answer.aread()
                            raise read_problem(answer)
                        place.begun()
                        async for line in answer.aiter_lines():
                            if (event := place.read(line)) is not None:
                                yield event
                pause = place.pause()
            except TransportError as error:
                pause = place.goes_on_after(error, self._url)
            await asyncio.sleep(pause)
