"""/asyncapi.json: what is said and heard on the bus."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from rota.entrypoints.http.answers import Answer, shows
from rota.entrypoints.http.caller import AnyReader, Wired
from rota.entrypoints.http.parameters import NO_PARAMETERS

router = APIRouter(tags=["documents"])


@router.get("/asyncapi.json", responses=shows(dict[str, Any]), dependencies=[NO_PARAMETERS])
async def asyncapi(_: AnyReader, services: Wired) -> Response:
    """AsyncAPI 3.0: heartbeats and events, with their shapes."""
    return Answer(services.asyncapi)
