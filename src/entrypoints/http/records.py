"""/runs/counts and /reports/rejected: what is kept of what is gone, and of what was not taken."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from rota.entrypoints.http.answers import Answer, shows
from rota.entrypoints.http.caller import Reader, Wired
from rota.entrypoints.http.wire.lists import PageOut, page_view
from rota.entrypoints.http.wire.records import (
    CountsOut,
    CountsQuery,
    RejectionOut,
    RejectionsQuery,
    counts_view,
    rejection_view,
)

router = APIRouter()


@router.get("/runs/counts", tags=["runs"], responses=shows(CountsOut))
async def count_runs(caller: Reader, query: Annotated[CountsQuery, Query()], services: Wired) -> Response:
    return Answer(counts_view(await services.run_counts(caller.tenant, query.job, query.of_schedule())))


@router.get("/reports/rejected", tags=["workers"], responses=shows(PageOut[RejectionOut]))
async def list_rejected_reports(
    caller: Reader, query: Annotated[RejectionsQuery, Query()], services: Wired
) -> Response:
    paging = query.paging()
    page = await services.rejections.page(caller.tenant, paging)
    return Answer(page_view(page, paging, rejection_view))
