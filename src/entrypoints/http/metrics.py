"""/metrics: the service in numbers, for Prometheus."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_1_0_0
from starlette.responses import Response

from rota.entrypoints.http.caller import AnyReader, Wired
from rota.entrypoints.http.parameters import NO_PARAMETERS

router = APIRouter(tags=["health"])

TEXT: dict[int | str, dict[str, Any]] = {  # Any: OpenAPI
    200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "What was asked for"},
}


@router.get("/metrics", responses=TEXT, dependencies=[NO_PARAMETERS])
async def read_metrics(_: AnyReader, services: Wired) -> Response:
    """Prometheus text: what this process has done and has, and the whole service as the database knows it."""
    return Response(await services.metrics.text(), media_type=CONTENT_TYPE_PLAIN_1_0_0)
