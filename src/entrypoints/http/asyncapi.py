"""/asyncapi.json: what is said and heard on the bus; /asyncapi: the same as a page."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from rota.entrypoints.http.answers import Answer, shows
from rota.entrypoints.http.asyncapi_page import asyncapi_page
from rota.entrypoints.http.caller import AnyReader, Wired
from rota.entrypoints.http.parameters import NO_PARAMETERS

router = APIRouter(tags=["documents"])


@router.get("/asyncapi.json", responses=shows(dict[str, Any]), dependencies=[NO_PARAMETERS])
async def asyncapi(_: AnyReader, services: Wired) -> Response:
    """AsyncAPI 3.0: events, work, reports, heartbeats and orders, with their shapes and examples."""
    return Answer(services.asyncapi)


@router.get("/asyncapi", include_in_schema=False)
async def read_asyncapi_page(request: Request, services: Wired) -> Response:
    """For a browser, which holds no token: like /docs it tells what may be said, and nothing that was."""
    return HTMLResponse(asyncapi_page(services.asyncapi, f"{request.scope['root_path']}/asyncapi.json"))
