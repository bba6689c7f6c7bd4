"""/schedules/{id}/backfill and /backfills"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.responses import Response

from rota.application.cancel_backfill import CancelBackfill
from rota.domain.backfill import Backfill
from rota.domain.ids import BackfillId, ScheduleId
from rota.entrypoints.http.answers import Answer, shows
from rota.entrypoints.http.body import JsonBody
from rota.entrypoints.http.caller import Operator, Reader, Wired
from rota.entrypoints.http.once import Onced
from rota.entrypoints.http.openapi import takes
from rota.entrypoints.http.parameters import NO_PARAMETERS
from rota.entrypoints.http.wire.backfills import (
    BackfillAskedOut,
    BackfillIn,
    BackfillOut,
    CancelBackfillIn,
    WouldBackfillOut,
    backfill_view,
)

router = APIRouter(tags=["schedules"])

_WOULD = shows(WouldBackfillOut, 200, "How many due times have no run; a dry run")
_GOES_ON = "The backfill has begun; /backfills/{id} tells how far it has come"


@router.post(
    "/schedules/{schedule_id:uuid}/backfill",
    status_code=202,
    responses=shows(BackfillAskedOut, 202, _GOES_ON) | _WOULD,
    openapi_extra=takes(BackfillIn),
)
async def backfill_schedule(
    schedule_id: UUID, caller: Operator, body: Annotated[BackfillIn, Depends(JsonBody(BackfillIn))], once: Onced
) -> Response:
    def show(backfill: Backfill) -> Response:
        if body.dry_run:
            return Answer({"count": backfill.count})
        return Answer({"id": backfill.id, "count": backfill.count}, 202)

    return await once(body.to_command(caller.tenant, ScheduleId(schedule_id)), show)


@router.get("/backfills/{backfill_id:uuid}", responses=shows(BackfillOut), dependencies=[NO_PARAMETERS])
async def read_backfill(backfill_id: UUID, caller: Reader, services: Wired) -> Response:
    return Answer(backfill_view(await services.backfills.backfill(caller.tenant, BackfillId(backfill_id))))


@router.post(
    "/backfills/{backfill_id:uuid}/cancel",
    status_code=202,
    responses=shows(BackfillOut, 202, "It makes no more runs; those that it has made go on"),
    openapi_extra=takes(CancelBackfillIn, is_needed=False),
)
async def cancel_backfill(
    backfill_id: UUID,
    caller: Operator,
    body: Annotated[CancelBackfillIn, Depends(JsonBody(CancelBackfillIn, or_none=True))],
    once: Onced,
) -> Response:
    return await once(
        CancelBackfill(tenant_id=caller.tenant, backfill_id=BackfillId(backfill_id), reason=body.reason),
        lambda look: Answer(backfill_view(look), 202),
    )
