"""/schedules"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from rota.application.batches import each
from rota.application.change_schedule import ChangeSchedule
from rota.application.create_schedules import CreateSchedules
from rota.application.delete_schedule import DeleteSchedule
from rota.application.disable_schedule import DisableSchedule
from rota.application.enable_schedule import EnableSchedule
from rota.application.explain_fire import ExplainFire
from rota.application.preview_fires import Fire, said_by, upcoming_fires
from rota.application.skip_fires import SkipFires
from rota.application.trigger_schedule import TriggerSchedule
from rota.application.views.events import event_view
from rota.application.views.runs import run_view
from rota.application.views.schedules import explanation_view, miss_view, schedule_view
from rota.domain.ids import ScheduleId
from rota.domain.schedule_events import ScheduleSnapshot
from rota.entrypoints.http.answers import Answer, made, shows
from rota.entrypoints.http.body import JsonBatch, JsonBody, merge_patch
from rota.entrypoints.http.caller import Admin, Operator, Reader, Wired
from rota.entrypoints.http.once import Onced
from rota.entrypoints.http.openapi import takes, takes_batch, takes_patch
from rota.entrypoints.http.parameters import NO_PARAMETERS
from rota.entrypoints.http.wire.events import EventOut
from rota.entrypoints.http.wire.lists import (
    EventsQuery,
    ExplainQuery,
    FiresQuery,
    ItemsOut,
    MissesQuery,
    PageOut,
    ScheduleQuery,
    page_view,
)
from rota.entrypoints.http.wire.patch import Document
from rota.entrypoints.http.wire.runs import RunOut
from rota.entrypoints.http.wire.schedules import (
    DisableIn,
    EnableIn,
    ExplanationOut,
    FiresOut,
    MissOut,
    PreviewIn,
    ScheduleIn,
    ScheduleOut,
    SkipIn,
    SkippedOut,
    TriggerNowIn,
    fires_view,
    revised_schedule,
    skipped_view,
)
from rota.entrypoints.http.writers import Expects

router = APIRouter(prefix="/schedules", tags=["schedules"])


@router.post("", status_code=201, responses=shows(ScheduleOut, 201), openapi_extra=takes(ScheduleIn))
async def create_schedule(
    request: Request,
    caller: Admin,
    body: Annotated[ScheduleIn, Depends(JsonBody(ScheduleIn))],
    services: Wired,
    once: Onced,
) -> Response:
    def show(created: Sequence[ScheduleSnapshot]) -> Response:
        (schedule,) = created
        return made(request, "schedules", schedule.id, schedule_view(schedule), version=schedule.version)

    draft = body.to_draft(caller.tenant, services.default_tz)
    return await once(CreateSchedules(tenant_id=caller.tenant, drafts=[draft]), show)


@router.post(
    "/batch", status_code=201, responses=shows(ItemsOut[ScheduleOut], 201), openapi_extra=takes_batch(ScheduleIn)
)
async def create_schedules(
    caller: Admin, bodies: Annotated[list[ScheduleIn], Depends(JsonBatch(ScheduleIn))], services: Wired, once: Onced
) -> Response:
    drafts = each(bodies, lambda body: body.to_draft(caller.tenant, services.default_tz), indexed=True)
    return await once(
        CreateSchedules(tenant_id=caller.tenant, drafts=drafts, batch=True),
        lambda created: Answer({"items": [schedule_view(schedule) for schedule in created]}, 201),
    )


@router.get("", responses=shows(PageOut[ScheduleOut]))
async def list_schedules(caller: Reader, query: Annotated[ScheduleQuery, Query()], services: Wired) -> Response:
    paging = query.paging()
    page = await services.reads.schedules(caller.tenant, query.wanted(), paging)
    return Answer(page_view(page, paging, schedule_view))


@router.post("/preview", responses=shows(FiresOut), openapi_extra=takes(PreviewIn))
async def preview(
    caller: Reader, body: Annotated[PreviewIn, Depends(JsonBody(PreviewIn))], services: Wired, once: Onced
) -> Response:
    async def look() -> Response:
        now = services.clock.now()
        open_days = await said_by(services.reads, caller.tenant, body.to_rule())
        start = body.from_ or now

        def fires() -> list[Fire]:
            schedule = body.to_schedule(caller.tenant, now, open_days)
            return upcoming_fires(schedule, start, body.count, now if start >= now else None)

        return Answer(fires_view(await asyncio.to_thread(fires)))

    return await once.whole(look)


@router.get("/{schedule_id:uuid}", responses=shows(ScheduleOut), dependencies=[NO_PARAMETERS])
async def read_schedule(schedule_id: UUID, caller: Reader, services: Wired) -> Response:
    return _shown((await services.reads.schedule(caller.tenant, ScheduleId(schedule_id))).snapshot())


@router.patch("/{schedule_id:uuid}", responses=shows(ScheduleOut), openapi_extra=takes_patch(ScheduleIn))
async def change_schedule(
    schedule_id: UUID,
    caller: Admin,
    expected: Expects,
    patch: Annotated[Document, Depends(merge_patch)],
    services: Wired,
) -> Response:
    return _shown(
        await services.bus.handle(
            ChangeSchedule(
                tenant_id=caller.tenant,
                schedule_id=ScheduleId(schedule_id),
                revise=lambda standing: revised_schedule(standing, patch, services.default_tz),
                expected=expected,
            )
        )
    )


@router.delete("/{schedule_id:uuid}", status_code=204, dependencies=[NO_PARAMETERS])
async def delete_schedule(schedule_id: UUID, caller: Admin, expected: Expects, services: Wired) -> Response:
    await services.bus.handle(
        DeleteSchedule(tenant_id=caller.tenant, schedule_id=ScheduleId(schedule_id), expected=expected)
    )
    return Response(status_code=204)


@router.post("/{schedule_id:uuid}/enable", responses=shows(ScheduleOut), openapi_extra=takes(EnableIn, is_needed=False))
async def enable_schedule(
    schedule_id: UUID,
    caller: Operator,
    body: Annotated[EnableIn, Depends(JsonBody(EnableIn, or_none=True))],
    once: Onced,
) -> Response:
    return await once(
        EnableSchedule(
            tenant_id=caller.tenant,
            schedule_id=ScheduleId(schedule_id),
            reason=body.reason,
            make_up=body.catch_up,
        ),
        _shown,
    )


@router.post(
    "/{schedule_id:uuid}/disable", responses=shows(ScheduleOut), openapi_extra=takes(DisableIn, is_needed=False)
)
async def disable_schedule(
    schedule_id: UUID,
    caller: Operator,
    body: Annotated[DisableIn, Depends(JsonBody(DisableIn, or_none=True))],
    once: Onced,
) -> Response:
    return await once(
        DisableSchedule(
            tenant_id=caller.tenant,
            schedule_id=ScheduleId(schedule_id),
            reason=body.reason,
            until=body.until,
        ),
        _shown,
    )


@router.post("/{schedule_id:uuid}/skip", responses=shows(SkippedOut), openapi_extra=takes(SkipIn, is_needed=False))
async def skip_fires(
    schedule_id: UUID,
    caller: Operator,
    body: Annotated[SkipIn, Depends(JsonBody(SkipIn, or_none=True))],
    once: Onced,
) -> Response:
    """The next fires, or one, will not come; each has a SKIPPED run at once."""
    return await once(
        SkipFires(
            tenant_id=caller.tenant,
            schedule_id=ScheduleId(schedule_id),
            wanted=body.to_wanted(),
            reason=body.reason,
        ),
        lambda skipped: Answer(skipped_view(skipped), version=skipped.schedule.version),
    )


@router.post(
    "/{schedule_id:uuid}/trigger",
    status_code=201,
    responses=shows(RunOut, 201),
    openapi_extra=takes(TriggerNowIn, is_needed=False),
)
async def trigger_schedule(
    request: Request,
    schedule_id: UUID,
    caller: Operator,
    body: Annotated[TriggerNowIn, Depends(JsonBody(TriggerNowIn, or_none=True))],
    once: Onced,
) -> Response:
    return await once(
        TriggerSchedule(
            tenant_id=caller.tenant,
            schedule_id=ScheduleId(schedule_id),
            payload=body.payload,
            correlation_id=caller.correlation_id,
            traceparent=caller.traceparent,
        ),
        lambda run: made(request, "runs", run.id, run_view(run)),
    )


@router.get("/{schedule_id:uuid}/fires", responses=shows(FiresOut))
async def list_fires(
    schedule_id: UUID, caller: Reader, query: Annotated[FiresQuery, Query()], services: Wired
) -> Response:
    schedule = await services.reads.schedule(caller.tenant, ScheduleId(schedule_id))
    now = services.clock.now()
    return Answer(fires_view(await asyncio.to_thread(upcoming_fires, schedule, query.from_ or now, query.count, now)))


@router.get("/{schedule_id:uuid}/misses", responses=shows(PageOut[MissOut]))
async def list_misses(
    schedule_id: UUID, caller: Reader, query: Annotated[MissesQuery, Query()], services: Wired
) -> Response:
    schedule = await services.reads.schedule(caller.tenant, ScheduleId(schedule_id))
    paging = query.paging()
    page = await services.reads.misses(caller.tenant, schedule.id, paging)
    return Answer(page_view(page, paging, miss_view, datetime.isoformat))


@router.get("/{schedule_id:uuid}/explain", responses=shows(ExplanationOut))
async def explain(
    schedule_id: UUID, caller: Reader, query: Annotated[ExplainQuery, Query()], services: Wired
) -> Response:
    """Why it did or will fire at that instant, or not: each rule that was asked, in order."""
    ask = ExplainFire(services.reads, services.evidence, services.clock)
    return Answer(explanation_view(await ask(caller.tenant, ScheduleId(schedule_id), query.at)))


def _shown(schedule: ScheduleSnapshot) -> Response:
    return Answer(schedule_view(schedule), version=schedule.version)


@router.get("/{schedule_id:uuid}/events", responses=shows(PageOut[EventOut]))
async def list_schedule_events(
    schedule_id: UUID, caller: Reader, query: Annotated[EventsQuery, Query()], services: Wired
) -> Response:
    """Its own history; that of its runs is each run's."""
    schedule = await services.reads.schedule(caller.tenant, ScheduleId(schedule_id))
    paging = query.paging()
    return Answer(page_view(await services.history.of(caller.tenant, schedule.id, paging), paging, event_view))
