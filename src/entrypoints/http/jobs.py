"""/jobs"""

from __future__ import annotations

import asyncio
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from rota.application.change_job import ChangeJob
from rota.application.create_job import CreateJob
from rota.application.delete_job import DeleteJob
from rota.application.views.jobs import job_view
from rota.domain.ids import JobId
from rota.domain.job import JobDefinition, JobSnapshot
from rota.entrypoints.http.answers import Answer, made, shows
from rota.entrypoints.http.body import JsonBody, merge_patch
from rota.entrypoints.http.caller import Admin, Reader, Wired
from rota.entrypoints.http.once import Onced
from rota.entrypoints.http.openapi import takes, takes_patch
from rota.entrypoints.http.parameters import NO_PARAMETERS
from rota.entrypoints.http.services import HttpServices
from rota.entrypoints.http.wire.jobs import JobIn, JobOut, revised_job
from rota.entrypoints.http.wire.lists import JobQuery, PageOut, page_view
from rota.entrypoints.http.wire.patch import Document
from rota.entrypoints.http.writers import Expects

router = APIRouter(prefix="/jobs", tags=["jobs"])


@router.post("", status_code=201, responses=shows(JobOut, 201), openapi_extra=takes(JobIn))
async def create_job(
    request: Request, caller: Admin, body: Annotated[JobIn, Depends(JsonBody(JobIn))], services: Wired, once: Onced
) -> Response:
    definition = body.to_definition()
    await _check(services, definition)
    return await once(
        CreateJob(tenant_id=caller.tenant, definition=definition),
        lambda job: made(request, "jobs", job.id, job_view(job), version=job.version),
    )


@router.get("", responses=shows(PageOut[JobOut]))
async def list_jobs(caller: Reader, query: Annotated[JobQuery, Query()], services: Wired) -> Response:
    paging = query.paging()
    page = await services.reads.jobs(caller.tenant, query.wanted(), paging)
    return Answer(page_view(page, paging, job_view))


@router.get("/{job_id:uuid}", responses=shows(JobOut), dependencies=[NO_PARAMETERS])
async def read_job(job_id: UUID, caller: Reader, services: Wired) -> Response:
    return _shown(await services.reads.job(caller.tenant, JobId(job_id)))


@router.patch("/{job_id:uuid}", responses=shows(JobOut), openapi_extra=takes_patch(JobIn))
async def change_job(
    job_id: UUID,
    caller: Admin,
    expected: Expects,
    patch: Annotated[Document, Depends(merge_patch)],
    services: Wired,
) -> Response:
    """The job is read, and its new schema checked, before the change begins: within it that would take too long."""
    standing = await services.reads.job(caller.tenant, JobId(job_id))
    expected.check(standing.version)
    await _check(services, revised_job(standing, patch))

    def revise(standing: JobSnapshot) -> JobDefinition:
        definition = revised_job(standing, patch)
        if definition.payload_schema is not None:
            services.payload_rules.check_schema(definition.payload_schema)
        return definition

    change = ChangeJob(tenant_id=caller.tenant, job_id=JobId(job_id), revise=revise, expected=expected)
    return _shown(await services.bus.handle(change))


@router.delete("/{job_id:uuid}", status_code=204, dependencies=[NO_PARAMETERS])
async def delete_job(job_id: UUID, caller: Admin, expected: Expects, services: Wired) -> Response:
    await services.bus.handle(DeleteJob(tenant_id=caller.tenant, job_id=JobId(job_id), expected=expected))
    return Response(status_code=204)


async def _check(services: HttpServices, definition: JobDefinition) -> None:
    """Raises InvalidError. Beside the event loop: a long schema takes a third of a second."""
    if definition.payload_schema is not None:
        await asyncio.to_thread(services.payload_rules.check_schema, definition.payload_schema)


def _shown(job: JobSnapshot) -> Response:
    return Answer(job_view(job), version=job.version)
