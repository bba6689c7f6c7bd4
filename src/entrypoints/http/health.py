"""/health, /ready, /live

The last two are for whoever runs the process and holds no token: they tell a status and nothing else.
"""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import ConfigDict
from starlette.responses import Response

from rota.domain.errors import UnavailableError
from rota.entrypoints.http.answers import Answer, shows
from rota.entrypoints.http.caller import AnyReader, Wired
from rota.entrypoints.http.parameters import NO_PARAMETERS
from rota.entrypoints.http.services import HealthStatus
from rota.entrypoints.http.wire import base

router = APIRouter(tags=["health"])


class CheckOut(base.Answer):
    """And whatever else tells of this part."""

    model_config = ConfigDict(extra="allow")

    status: HealthStatus


class HealthOut(base.Answer):
    status: HealthStatus
    checks: dict[str, CheckOut]


class StatusOut(base.Answer):
    status: Literal["UP"]


@router.get("/health", responses=shows(HealthOut), dependencies=[NO_PARAMETERS])
async def read_health(_: AnyReader, services: Wired) -> Response:
    """200 whatever it says: that it could be said is the call's success."""
    health = await services.health()
    checks = {name: {"status": check.status, **check.detail} for name, check in health.checks.items()}
    return Answer({"status": health.status, "checks": checks})


@router.get("/ready", responses=shows(StatusOut), dependencies=[NO_PARAMETERS])
async def is_ready(services: Wired) -> Response:
    if not await services.is_ready():
        raise UnavailableError("not ready")
    return Answer({"status": "UP"})


@router.get("/live", responses=shows(StatusOut), dependencies=[NO_PARAMETERS])
async def is_live() -> Response:
    return Answer({"status": "UP"})
