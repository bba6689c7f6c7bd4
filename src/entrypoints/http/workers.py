"""/workers"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from rota.application.drain_worker import DrainWorker
from rota.application.ports.bus import Control
from rota.application.register_worker import Registered
from rota.application.take_heartbeats import TakeHeartbeats
from rota.application.views.workers import control_view, worker_view
from rota.domain.ids import WorkerId
from rota.entrypoints.http.answers import Answer, made, shows
from rota.entrypoints.http.body import JsonBody
from rota.entrypoints.http.caller import Operator, Reader, Wired
from rota.entrypoints.http.once import Onced
from rota.entrypoints.http.openapi import takes
from rota.entrypoints.http.parameters import NO_PARAMETERS
from rota.entrypoints.http.wire.lists import ListQuery, PageOut, page_view
from rota.entrypoints.http.wire.workers import (
    ControlOut,
    DrainIn,
    HeartbeatIn,
    RegisteredOut,
    RegisterIn,
    WorkerOut,
)

router = APIRouter(prefix="/workers", tags=["workers"])


@router.post("/register", status_code=201, responses=shows(RegisteredOut, 201), openapi_extra=takes(RegisterIn))
async def register_worker(
    request: Request,
    caller: Operator,
    body: Annotated[RegisterIn, Depends(JsonBody(RegisterIn))],
    services: Wired,
    once: Onced,
) -> Response:
    access = services.worker_access

    def show(registered: Registered) -> Response:
        view = {
            "workerId": registered.worker_id,
            "tenantId": caller.tenant,
            "natsUrl": access.nats_url,
            "credentials": {"user": access.user, "password": access.password},
            "heartbeatSec": access.heartbeat_sec,
            "lanes": [{"job": job, "stream": lane.stream, "consumer": lane.consumer} for job, lane in registered.lanes],
        }
        return made(request, "workers", registered.worker_id, view)

    return await once(body.to_command(caller.tenant), show)


@router.post("/{worker_id:uuid}/heartbeat", responses=shows(list[ControlOut]), openapi_extra=takes(HeartbeatIn))
async def take_heartbeat(
    worker_id: UUID, caller: Operator, body: Annotated[HeartbeatIn, Depends(JsonBody(HeartbeatIn))], once: Onced
) -> Response:
    def show(answers: Sequence[Sequence[Control]]) -> Response:
        (orders,) = answers
        return Answer([control_view(order) for order in orders])

    return await once(TakeHeartbeats([body.to_heartbeat(caller.tenant, WorkerId(worker_id))]), show)


@router.post(
    "/{worker_id:uuid}/drain",
    status_code=202,
    responses=shows(WorkerOut, 202),
    openapi_extra=takes(DrainIn, is_needed=False),
)
async def drain_worker(
    worker_id: UUID,
    caller: Operator,
    body: Annotated[DrainIn, Depends(JsonBody(DrainIn, or_none=True))],
    once: Onced,
) -> Response:
    return await once(
        DrainWorker(tenant_id=caller.tenant, worker_id=WorkerId(worker_id)),
        lambda worker: Answer(worker_view(worker), 202),
    )


@router.get("", responses=shows(PageOut[WorkerOut]))
async def list_workers(caller: Reader, query: Annotated[ListQuery, Query()], services: Wired) -> Response:
    paging = query.paging()
    page = await services.reads.workers(caller.tenant, paging)
    return Answer(page_view(page, paging, worker_view))


@router.get("/{worker_id:uuid}", responses=shows(WorkerOut), dependencies=[NO_PARAMETERS])
async def read_worker(worker_id: UUID, caller: Reader, services: Wired) -> Response:
    return Answer(worker_view(await services.reads.worker(caller.tenant, WorkerId(worker_id))))
