"""/runs/dead, /runs/redrive and /redrives"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from rota.application.cancel_redrive import CancelRedrive
from rota.application.redrive_runs import would_redrive
from rota.domain.ids import RedriveId
from rota.entrypoints.http.answers import Answer, shows
from rota.entrypoints.http.body import JsonBody
from rota.entrypoints.http.caller import Operator, Reader, Wired
from rota.entrypoints.http.once import Onced
from rota.entrypoints.http.openapi import takes
from rota.entrypoints.http.parameters import NO_PARAMETERS
from rota.entrypoints.http.wire.dead_letters import (
    CancelRedriveIn,
    DeadGroupOut,
    DeadQuery,
    RedriveAskedOut,
    RedriveIn,
    RedriveOut,
    WouldRedriveOut,
    group_view,
    place_text,
    redrive_view,
    would_redrive_view,
)
from rota.entrypoints.http.wire.lists import PageOut, page_view

router = APIRouter(tags=["runs"])

_WOULD = shows(WouldRedriveOut, 200, "What it would take; a dry run")
_GOES_ON = "The redrive has begun; /redrives/{id} tells how far it has come"


@router.get("/runs/dead", responses=shows(PageOut[DeadGroupOut]))
async def list_dead_letters(caller: Reader, query: Annotated[DeadQuery, Query()], services: Wired) -> Response:
    paging = query.paging()
    page = await services.dead_letters.groups(caller.tenant, query.wanted(), paging, retried=query.redriven)
    return Answer(page_view(page, paging, group_view, place_text))


@router.post(
    "/runs/redrive",
    status_code=202,
    responses=shows(RedriveAskedOut, 202, _GOES_ON) | _WOULD,
    openapi_extra=takes(RedriveIn),
)
async def redrive_runs(
    caller: Operator, body: Annotated[RedriveIn, Depends(JsonBody(RedriveIn))], services: Wired, once: Onced
) -> Response:
    asked = body.to_command(caller.tenant)

    async def look() -> Response:
        would = await would_redrive(services.dead_letters, caller.tenant, asked.wanted, asked.terms, asked.payload)
        return Answer(would_redrive_view(would))

    if body.dry_run:
        return await once.whole(look)
    return await once(asked, lambda redrive: Answer({"id": redrive.id, "count": redrive.count}, 202))


@router.get("/redrives/{redrive_id:uuid}", responses=shows(RedriveOut), dependencies=[NO_PARAMETERS])
async def read_redrive(redrive_id: UUID, caller: Reader, services: Wired) -> Response:
    return Answer(redrive_view(await services.dead_letters.redrive(caller.tenant, RedriveId(redrive_id))))


@router.post(
    "/redrives/{redrive_id:uuid}/cancel",
    status_code=202,
    responses=shows(RedriveOut, 202, "It makes no more runs; those that it has made go on"),
    openapi_extra=takes(CancelRedriveIn, is_needed=False),
)
async def cancel_redrive(
    redrive_id: UUID,
    caller: Operator,
    body: Annotated[CancelRedriveIn, Depends(JsonBody(CancelRedriveIn, or_none=True))],
    once: Onced,
) -> Response:
    return await once(
        CancelRedrive(tenant_id=caller.tenant, redrive_id=RedriveId(redrive_id), reason=body.reason),
        lambda look: Answer(redrive_view(look), 202),
    )
