"""The HTTP client: `Rota` for asyncio, `RotaSync` its twin that blocks."""

import asyncio
import os
import time
from collections.abc import Iterable
from typing import Any, Self, TypeVar

import httpx

from rota.entrypoints.sdk import calls, wire
from rota.entrypoints.sdk.calls import Call, Definition
from rota.entrypoints.sdk.following import Following, FollowingSync
from rota.entrypoints.sdk.keeping import Keeping, KeepingSync
from rota.entrypoints.sdk.models import (
    Backfill,
    BackfillAsked,
    DeadGroup,
    Fires,
    Items,
    Job,
    Page,
    Redrive,
    RedriveAsked,
    Run,
    Schedule,
    WouldBackfill,
    WouldRedrive,
)
from rota.entrypoints.sdk.problems import read_problem
from rota.entrypoints.web_client import WebClient

T = TypeVar("T")

TIMEOUT = 30.0
POLL_FIRST, POLL_MOST = 0.02, 1.0


class Rota(Keeping, Following):
    """The API of one tenant. `url` and `token` default to ROTA_URL and ROTA_TOKEN.

    Every call raises RotaError where the server refuses, and httpx.TransportError where it cannot be reached.
    """

    def __init__(self, url: str | None = None, token: str | None = None, *, tenant: str | None = None) -> None:
        self._http = WebClient(**_options(url, token, tenant))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def create_job(self, /, name: str, **definition: Any) -> Job:
        return await self._send(calls.create_job({"name": name} | definition))

    async def create_schedule(self, /, name: str, **definition: Any) -> Schedule:
        return await self._send(calls.create_schedule({"name": name} | definition))

    async def create_schedules(self, definitions: Iterable[Definition]) -> Items[Schedule]:
        """At most 1,000; all or none."""
        return await self._send(calls.create_schedules(definitions))

    async def get_schedule(self, schedule_id: str) -> Schedule:
        return await self._send(calls.get_schedule(schedule_id))

    async def list_schedules(self, **filters: object) -> Page[Schedule]:
        return await self._send(calls.list_schedules(filters))

    async def preview(self, trigger: Definition, tz: str, **question: Any) -> Fires:
        """When it would fire; `question` is what POST /schedules/preview takes. Nothing is stored."""
        return await self._send(calls.preview({"trigger": trigger, "tz": tz} | question))

    async def backfill(self, schedule_id: str, **stretch: Any) -> BackfillAsked:
        """Has each due time without a run filled in; `stretch` takes what POST /schedules/{id}/backfill takes
        (`from`, `to`, `maxConcurrent`).
        """
        return await self._send(calls.backfill(schedule_id, stretch))

    async def would_backfill(self, schedule_id: str, **stretch: Any) -> WouldBackfill:
        """How many runs `backfill` would make."""
        return await self._send(calls.would_backfill(schedule_id, stretch))

    async def get_backfill(self, backfill_id: str) -> Backfill:
        return await self._send(calls.get_backfill(backfill_id))

    async def cancel_backfill(self, backfill_id: str, reason: str = "") -> Backfill:
        """It makes no more runs; those that it has made go on."""
        return await self._send(calls.cancel_backfill(backfill_id, reason))

    async def run(self, job: str, payload: Any = None, **order: Any) -> Run:
        """Has a job run once; `order` takes what POST /runs takes (`runAt`, `dedupeKey`, `labels`, `priority`)."""
        return await self._send(calls.run({"job": job, "payload": payload} | order))

    async def run_many(self, orders: Iterable[Definition]) -> Items[Run]:
        """At most 1,000; all or none."""
        return await self._send(calls.run_many(orders))

    async def get_run(self, run_id: str) -> Run:
        return await self._send(calls.get_run(run_id))

    async def cancel_run(self, run_id: str, reason: str = "") -> Run:
        """The run as it then is: one that is RUNNING goes on until its worker has stopped it."""
        return await self._send(calls.cancel_run(run_id, reason))

    async def retry_run(self, run_id: str, **order: Any) -> Run:
        """Has a run that ended carried out once more: answers the new run. `payload`, if given, replaces the old."""
        return await self._send(calls.retry_run(run_id, order))

    async def list_runs(self, **filters: object) -> Page[Run]:
        return await self._send(calls.list_runs(filters))

    async def list_dead(self, **filters: object) -> Page[DeadGroup]:
        """Dead letters, in groups of those that failed alike."""
        return await self._send(calls.list_dead(filters))

    async def redrive(self, wanted: Definition, **how: Any) -> RedriveAsked:
        """Has the dead letters that the filter finds carried out once more; `how` takes what POST /runs/redrive takes
        (`perSec`, `max`, `stopAfter`, `payload`).
        """
        return await self._send(calls.redrive({"filter": wanted} | how))

    async def would_redrive(self, wanted: Definition, **how: Any) -> WouldRedrive:
        """What `redrive` would take."""
        return await self._send(calls.would_redrive({"filter": wanted} | how))

    async def get_redrive(self, redrive_id: str) -> Redrive:
        return await self._send(calls.get_redrive(redrive_id))

    async def cancel_redrive(self, redrive_id: str, reason: str = "") -> Redrive:
        """It makes no more runs; those that it has made go on."""
        return await self._send(calls.cancel_redrive(redrive_id, reason))

    async def wait_for_run(self, run_id: str, timeout: float = 60.0) -> Run:
        """The run in its final state. Raises TimeoutError."""
        async with asyncio.timeout(timeout):
            pause = POLL_FIRST
            while not (run := await self.get_run(run_id)).is_final:
                await asyncio.sleep(pause)
                pause = min(pause * 2, POLL_MOST)
        return run

    async def _send(self, call: Call[T]) -> T:
        return _read(call, await self._http.request(call.method, call.path, **_content(call)))


class RotaSync(KeepingSync, FollowingSync):
    """As `Rota`, for programs without an event loop."""

    def __init__(self, url: str | None = None, token: str | None = None, *, tenant: str | None = None) -> None:
        self._http = httpx.Client(**_options(url, token, tenant))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def create_job(self, /, name: str, **definition: Any) -> Job:
        return self._send(calls.create_job({"name": name} | definition))

    def create_schedule(self, /, name: str, **definition: Any) -> Schedule:
        return self._send(calls.create_schedule({"name": name} | definition))

    def create_schedules(self, definitions: Iterable[Definition]) -> Items[Schedule]:
        return self._send(calls.create_schedules(definitions))

    def get_schedule(self, schedule_id: str) -> Schedule:
        return self._send(calls.get_schedule(schedule_id))

    def list_schedules(self, **filters: object) -> Page[Schedule]:
        return self._send(calls.list_schedules(filters))

    def preview(self, trigger: Definition, tz: str, **question: Any) -> Fires:
        return self._send(calls.preview({"trigger": trigger, "tz": tz} | question))

    def backfill(self, schedule_id: str, **stretch: Any) -> BackfillAsked:
        return self._send(calls.backfill(schedule_id, stretch))

    def would_backfill(self, schedule_id: str, **stretch: Any) -> WouldBackfill:
        return self._send(calls.would_backfill(schedule_id, stretch))

    def get_backfill(self, backfill_id: str) -> Backfill:
        return self._send(calls.get_backfill(backfill_id))

    def cancel_backfill(self, backfill_id: str, reason: str = "") -> Backfill:
        return self._send(calls.cancel_backfill(backfill_id, reason))

    def run(self, job: str, payload: Any = None, **order: Any) -> Run:
        return self._send(calls.run({"job": job, "payload": payload} | order))

    def run_many(self, orders: Iterable[Definition]) -> Items[Run]:
        return self._send(calls.run_many(orders))

    def get_run(self, run_id: str) -> Run:
        return self._send(calls.get_run(run_id))

    def cancel_run(self, run_id: str, reason: str = "") -> Run:
        return self._send(calls.cancel_run(run_id, reason))

    def retry_run(self, run_id: str, **order: Any) -> Run:
        return self._send(calls.retry_run(run_id, order))

    def list_runs(self, **filters: object) -> Page[Run]:
        return self._send(calls.list_runs(filters))

    def list_dead(self, **filters: object) -> Page[DeadGroup]:
        return self._send(calls.list_dead(filters))

    def redrive(self, wanted: Definition, **how: Any) -> RedriveAsked:
        return self._send(calls.redrive({"filter": wanted} | how))

    def would_redrive(self, wanted: Definition, **how: Any) -> WouldRedrive:
        return self._send(calls.would_redrive({"filter": wanted} | how))

    def get_redrive(self, redrive_id: str) -> Redrive:
        return self._send(calls.get_redrive(redrive_id))

    def cancel_redrive(self, redrive_id: str, reason: str = "") -> Redrive:
        return self._send(calls.cancel_redrive(redrive_id, reason))

    def wait_for_run(self, run_id: str, timeout: float = 60.0) -> Run:
        until = time.monotonic() + timeout
        pause = POLL_FIRST
        while not (run := self.get_run(run_id)).is_final:
            if time.monotonic() + pause > until:
                raise TimeoutError(f"run {run_id} is {run.state} after {timeout:g} s")
            time.sleep(pause)
            pause = min(pause * 2, POLL_MOST)
        return run

    def _send(self, call: Call[T]) -> T:
        return _read(call, self._http.request(call.method, call.path, **_content(call)))


def _options(url: str | None, token: str | None, tenant: str | None) -> dict[str, Any]:
    """Raises ValueError when nobody says where to go and as whom."""
    url, token = url or os.environ.get("ROTA_URL"), token or os.environ.get("ROTA_TOKEN")
    if not url or not token:
        raise ValueError("give url and token, or set ROTA_URL and ROTA_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} | ({"X-Tenant-Id": tenant} if tenant else {})
    return {"base_url": f"{url.rstrip('/')}/api/v1", "headers": headers, "timeout": TIMEOUT}


def _content(call: Call[Any]) -> dict[str, Any]:
    """What httpx is given besides method and path."""
    if call.body is None:
        return {"params": call.query}
    content = call.body if isinstance(call.body, bytes) else wire.encode_any(call.body)
    return {"params": call.query, "content": content, "headers": {"Content-Type": call.content_type}}


def _read(call: Call[T], answer: httpx.Response) -> T:
    if answer.is_error:
        raise read_problem(answer)
    if call.answer is calls.BYTES:
        return call.answer.validate_python(answer.content)
    return call.answer.validate_json(answer.content or b"null")
