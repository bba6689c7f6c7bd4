"""Making oneself known to the server, over HTTP."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, Self

import httpx
import structlog
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from rota.entrypoints.sdk import wire
from rota.entrypoints.sdk.backoff import Backoff
from rota.entrypoints.sdk.errors import RotaError
from rota.entrypoints.sdk.problems import read_problem
from rota.entrypoints.web_client import WebClient

log = structlog.get_logger("rota.worker")

REGISTER_WAIT: Final = 5.0
DRAIN_WAIT: Final = 2.0
_FOR_NOW: Final = frozenset({408, 425, 429})
"""Refusals that may end by themselves; every other one below 500 is for good."""


class _Wire(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class Credentials(_Wire):
    user: str
    password: str


class LaneIn(_Wire):
    job: str
    stream: str
    consumer: str


class Registration(_Wire):
    """What the server answers: who this worker is now, where its bus is, and which lanes it serves."""

    worker_id: str
    nats_url: str
    credentials: Credentials
    heartbeat_sec: float = 3.0
    lanes: Sequence[LaneIn]
    tenant_id: str | None = None


class Registrar:
    """The worker's side of `/workers`."""

    def __init__(self, url: str, token: str, tenant: str | None) -> None:
        headers = {"Authorization": f"Bearer {token}"} | ({"X-Tenant-Id": tenant} if tenant else {})
        self._http = WebClient(base_url=f"{url.rstrip('/')}/api/v1/workers", headers=headers)
        self._tenant = tenant or wire.tenant_claim(token)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def register(self, body: Mapping[str, Any]) -> Registration:
        """Tries until the server answers. Raises RotaError where it refuses for good."""
        backoff = Backoff(0.25, 5.0)
        while True:
            try:
                answer = await self._post("/register", body, REGISTER_WAIT)
                return Registration.model_validate_json(answer.content)
            except httpx.TransportError as error:
                log.warning("register_unanswered", error=repr(error))
            except RotaError as error:
                if error.status < 500 and error.status not in _FOR_NOW:
                    raise
                log.warning("register_refused", status=error.status, detail=str(error))
            await asyncio.sleep(backoff.next())

    async def drain(self, worker_id: str) -> None:
        """Says that no more runs are wanted. Best effort: the heartbeats say it too."""
        try:
            await self._post(f"/{worker_id}/drain", {}, DRAIN_WAIT)
        except (httpx.HTTPError, RotaError) as error:
            log.warning("drain_not_told", error=repr(error))

    def tenant_of(self, registration: Registration) -> str:
        """Raises ValueError for a token of all tenants without a tenant chosen."""
        tenant = registration.tenant_id or self._tenant
        if tenant is None or tenant == "*":
            raise ValueError("the token names no tenant: give Worker(tenant=...)")
        return tenant

    async def _post(self, path: str, body: Mapping[str, Any], wait: float) -> httpx.Response:
        answer = await self._http.post(path, json=body, timeout=wait)
        if answer.is_error:
            raise read_problem(answer)
        return answer
