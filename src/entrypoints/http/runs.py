"""/runs"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from rota.application.cancel_run import CancelRun
from rota.application.create_runs import Accepted, CreateRuns, RunDraft
from rota.application.retry_run import RetryRun
from rota.application.views.events import event_view
from rota.application.views.runs import run_view
from rota.domain.ids import RunId
from rota.entrypoints.http.answers import Answer, made, shows
from rota.entrypoints.http.body import JsonBatch, JsonBody
from rota.entrypoints.http.caller import Caller, Operator, Reader, Wired
from rota.entrypoints.http.once import Onced
from rota.entrypoints.http.openapi import takes, takes_batch
from rota.entrypoints.http.parameters import NO_PARAMETERS
from rota.entrypoints.http.wire.events import EventOut
from rota.entrypoints.http.wire.lists import EventsQuery, ItemsOut, PageOut, RunQuery, page_view
from rota.entrypoints.http.wire.runs import CancelIn, RunAgainIn, RunIn, RunOut

router = APIRouter(prefix="/runs", tags=["runs"])

_HELD = shows(RunOut, 200, "The run that holds the dedupe key")


@router.post("", status_code=201, responses=shows(RunOut, 201) | _HELD, openapi_extra=takes(RunIn))
async def create_run(
    request: Request, caller: Operator, body: Annotated[RunIn, Depends(JsonBody(RunIn))], once: Onced
) -> Response:
    def show(all_accepted: Sequence[Accepted]) -> Response:
        (accepted,) = all_accepted
        view = run_view(accepted.run)
        return made(request, "runs", accepted.run.id, view) if accepted.is_new else Answer(view)

    return await once(_asked_by(caller, [body.to_draft()]), show)


@router.post("/batch", status_code=201, responses=shows(ItemsOut[RunOut], 201), openapi_extra=takes_batch(RunIn))
async def create_runs(
    caller: Operator, bodies: Annotated[list[RunIn], Depends(JsonBatch(RunIn))], once: Onced
) -> Response:
    return await once(
        _asked_by(caller, [body.to_draft() for body in bodies], batch=True),
        lambda accepted: Answer({"items": [run_view(each.run) for each in accepted]}, 201),
    )


@router.get("", responses=shows(PageOut[RunOut]))
async def list_runs(caller: Reader, query: Annotated[RunQuery, Query()], services: Wired) -> Response:
    paging = query.paging()
    page = await services.reads.runs(caller.tenant, query.wanted(), paging)
    return Answer(page_view(page, paging, run_view))


@router.get("/{run_id:uuid}", responses=shows(RunOut), dependencies=[NO_PARAMETERS])
async def read_run(run_id: UUID, caller: Reader, services: Wired) -> Response:
    return Answer(run_view(await services.reads.run(caller.tenant, RunId(run_id))))


@router.get("/{run_id:uuid}/events", responses=shows(PageOut[EventOut]))
async def list_run_events(
    run_id: UUID, caller: Reader, query: Annotated[EventsQuery, Query()], services: Wired
) -> Response:
    run = await services.reads.run(caller.tenant, RunId(run_id))
    paging = query.paging()
    return Answer(page_view(await services.history.of(caller.tenant, run.id, paging), paging, event_view))


@router.post(
    "/{run_id:uuid}/cancel",
    status_code=202,
    responses=shows(RunOut, 202, "The run as it now is: a running one goes on until its worker has stopped it"),
    openapi_extra=takes(CancelIn, is_needed=False),
)
async def cancel_run(
    run_id: UUID,
    caller: Operator,
    body: Annotated[CancelIn, Depends(JsonBody(CancelIn, or_none=True))],
    once: Onced,
) -> Response:
    return await once(
        CancelRun(tenant_id=caller.tenant, run_id=RunId(run_id), reason=body.reason),
        lambda run: Answer(run_view(run), 202),
    )


@router.post(
    "/{run_id:uuid}/retry",
    status_code=201,
    responses=shows(RunOut, 201, "The new run"),
    openapi_extra=takes(RunAgainIn, is_needed=False),
)
async def retry_run(
    request: Request,
    run_id: UUID,
    caller: Operator,
    body: Annotated[RunAgainIn, Depends(JsonBody(RunAgainIn, or_none=True))],
    once: Onced,
) -> Response:
    return await once(
        RetryRun(
            tenant_id=caller.tenant,
            run_id=RunId(run_id),
            payload=body.payload,
            correlation_id=caller.correlation_id,
            traceparent=caller.traceparent,
        ),
        lambda run: made(request, "runs", run.id, run_view(run)),
    )


def _asked_by(caller: Caller, drafts: Sequence[RunDraft], *, batch: bool = False) -> CreateRuns:
    return CreateRuns(
        tenant_id=caller.tenant,
        drafts=drafts,
        batch=batch,
        correlation_id=caller.correlation_id,
        traceparent=caller.traceparent,
    )
