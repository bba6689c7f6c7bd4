"""/events: the event log, to be read and to be followed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query
from starlette.responses import Response, StreamingResponse

from rota.application.follow_events import Followers
from rota.application.ports.log import EventFilter
from rota.domain.ids import TenantId
from rota.entrypoints.http.answers import Answer, shows
from rota.entrypoints.http.caller import Reader, Wired
from rota.entrypoints.http.wire.event_log import (
    HEARTBEAT,
    EventLogOut,
    EventLogQuery,
    FollowQuery,
    frames,
    last_event_id,
    opening,
    stretch_view,
)

router = APIRouter(prefix="/events", tags=["events"])

SILENCE: Final = 15.0
"""Seconds after which a stream says that it is still there."""
STREAM: dict[int | str, dict[str, Any]] = {  # Any: OpenAPI
    200: {
        "description": "Server-sent events: `id` is the event's `sequence`, `data` the CloudEvent",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
}
_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@router.get("", responses=shows(EventLogOut))
async def list_events(caller: Reader, query: Annotated[EventLogQuery, Query()], services: Wired) -> Response:
    """What has happened, the oldest first: each item is the CloudEvent as it was on the bus."""
    stretch = await services.followers.reads.stretch(caller.tenant, query.wanted(), query.place(), query.limit)
    return Answer(stretch_view(stretch))


@router.get("/stream", responses=STREAM)
async def follow_events(
    caller: Reader,
    query: Annotated[FollowQuery, Query()],
    services: Wired,
    last_id: Annotated[str | None, Header(alias="Last-Event-ID")] = None,
) -> Response:
    """What happens, as it happens, from now on or after a given `sequence`; a comment every 15 s of silence."""
    place = last_event_id(last_id)
    if place is None:
        place = query.after
    if place is None:
        place = await services.followers.reads.last()
    told = _told(services.followers, caller.tenant, query.wanted(), place)
    first = await anext(told)  # what is refused is refused before the answer begins
    return StreamingResponse(_with(first, told), headers=_HEADERS, media_type="text/event-stream")


async def _told(followers: Followers, tenant: TenantId, wanted: EventFilter, place: int) -> AsyncIterator[bytes]:
    with followers.joined(tenant, wanted, place) as follower:
        yield opening(place)
        while (entries := await follower.next(SILENCE)) is not None:
            yield frames(entries) if entries else HEARTBEAT


async def _with(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for each in rest:
        yield each
