"""The HTTP API, put together."""

from __future__ import annotations

import asyncio

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from rota.application.json import dump_bytes
from rota.entrypoints.http import (
    asyncapi,
    backfills,
    calendars,
    dead_letters,
    events,
    health,
    jobs,
    metrics,
    records,
    runs,
    schedules,
    workers,
)
from rota.entrypoints.http.document.page import openapi_page
from rota.entrypoints.http.edge import Edge
from rota.entrypoints.http.measured import Measured
from rota.entrypoints.http.openapi import describe
from rota.entrypoints.http.problems import answer_with_problems
from rota.entrypoints.http.services import HttpServices

_ABOUT = """Schedules, jobs, calendars, runs and workers of one tenant.

Every call carries `Authorization: Bearer <JWT>`. The token's tenant rules; a token for all tenants (`*`) names one by
`X-Tenant-Id`. The scope `scheduler:admin` includes `scheduler:operate` and `scheduler:read`.
"""


def create_metrics_app(services: HttpServices) -> FastAPI:
    """For a process without the API: /metrics, /health, /ready and /live."""
    app = FastAPI(
        title="Rota",
        middleware=[Middleware(Measured), Middleware(Edge)],
        redirect_slashes=False,
        openapi_url=None,
        default_response_class=Response,
    )
    app.state.services = services
    for resource in (health, metrics):
        app.include_router(resource.router)
    answer_with_problems(app)
    return app


def create_app(services: HttpServices) -> FastAPI:
    """Answers at `/` and, as if mounted there too, at `/api/v1`."""
    app = FastAPI(
        title="Rota",
        version="1",
        description=_ABOUT,
        middleware=[Middleware(Measured), Middleware(Edge)],
        redirect_slashes=False,
        redoc_url=None,
        docs_url=None,
        openapi_url=None,
        default_response_class=Response,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.services = services
    routers = [
        resource.router
        for resource in (
            schedules,
            backfills,
            jobs,
            calendars,
            dead_letters,
            records,
            runs,
            workers,
            events,
            health,
            metrics,
            asyncapi,
        )
    ]
    for router in routers:
        app.include_router(router)
    answer_with_problems(app)
    describe(app, routers)
    app.add_route("/openapi.json", _read_document, include_in_schema=False)
    app.add_route("/docs", _read_page, include_in_schema=False)
    return app


async def _read_document(request: Request) -> Response:
    """Put together when it is first asked for: beside the event loop, for that takes a second."""
    document = await asyncio.to_thread(lambda: dump_bytes(request.app.openapi()))
    return Response(document, media_type="application/json")


async def _read_page(request: Request) -> Response:
    """For a browser, which holds no token: it tells what may be said, and nothing that was."""
    document = f"{request.scope['root_path']}/openapi.json"
    return HTMLResponse(await asyncio.to_thread(lambda: openapi_page(request.app.openapi(), document)))
