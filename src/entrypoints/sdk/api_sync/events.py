# Made from sdk/api by tests/support/twin.py: change it there.
"""The client's calls about the event log."""

import time
from collections.abc import Iterator
from typing import Unpack

from httpx import TransportError, codes

from rota.entrypoints.sdk.api_sync.sender import Sender
from rota.entrypoints.sdk.call import WHOLE_PAGE, get
from rota.entrypoints.sdk.definitions import EventFilters, EventPart
from rota.entrypoints.sdk.following import STREAM, Event, EventPage, Place
from rota.entrypoints.sdk.models import Page
from rota.entrypoints.sdk.problems import read_problem


class Events(Sender):
    def list_events(self, **filters: Unpack[EventPart]) -> EventPage:
        """What has happened, the oldest first."""
        return self._send(get("/events", EventPage, filters))

    def iter_events(self, **filters: Unpack[EventFilters]) -> Iterator[Event]:
        return self._every(get("/events", Page[Event], {**filters, "limit": WHOLE_PAGE}))

    def follow_events(self, **filters: Unpack[EventFilters]) -> Iterator[Event]:
        """What happens, from now on or after a sequence, each event once and in order, without end.

        A link that is lost is made anew, and nothing is passed over. Raises RotaError where the server refuses, and
        UnreachableError where it was never reached.
        """
        place = Place(filters.get("after"), filters.get("type"), filters.get("subject"))
        while True:
            try:
                with self._http.stream("GET", STREAM, **place.request()) as answer:
                    if answer.status_code != codes.SERVICE_UNAVAILABLE:
                        if answer.is_error:
                            answer.read()
                            raise read_problem(answer)
                        place.begun()
                        for line in answer.iter_lines():
                            if (event := place.read(line)) is not None:
                                yield event
                pause = place.pause()
            except TransportError as error:
                pause = place.goes_on_after(error, self._url)
            time.sleep(pause)
