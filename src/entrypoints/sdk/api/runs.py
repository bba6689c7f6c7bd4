"""The client's calls about runs."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Unpack

from rota.entrypoints.sdk.api.sender import Sender
from rota.entrypoints.sdk.call import WHOLE_PAGE, get, part, post
from rota.entrypoints.sdk.definitions import Json, Paging, RunFilter, RunList, RunTerms, WithPayload
from rota.entrypoints.sdk.errors import RunFailedError
from rota.entrypoints.sdk.looking import Looking
from rota.entrypoints.sdk.models import Event, Items, Page, Run, RunCounts


class Runs(Sender):
    async def run(
        self, job: str, payload: Json = None, *, idempotency_key: str | None = None, **order: Unpack[RunTerms]
    ) -> Run:
        """Has a job run once: at once, or at `runAt`."""
        return await self._send(post("/runs", Run, {"job": job, "payload": payload, **order}, idempotency_key))

    async def run_many(self, orders: Iterable[Mapping[str, Any]], *, idempotency_key: str | None = None) -> Items[Run]:
        """At most 1,000 RunOrders; all or none."""
        return await self._send(post("/runs/batch", Items[Run], list(orders), idempotency_key))

    async def get_run(self, run_id: str) -> Run:
        return await self._send(get(f"/runs/{part(run_id)}", Run))

    async def wait_for_run(self, run_id: str, timeout: float = 60.0, *, must_succeed: bool = False) -> Run:
        """The run in its final state. A server that is away meanwhile is waited for as well.

        Raises TimeoutError when it has not ended within `timeout` seconds, and with `must_succeed` RunFailedError when
        it ended otherwise than in success.
        """
        looking = Looking(timeout)
        call = get(f"/runs/{part(run_id)}", Run)
        while not (run := await self._send(call, looking.left)).is_final:
            await asyncio.sleep(looking.pause(run))
        if must_succeed and not run.has_succeeded:
            raise RunFailedError(run)
        return run

    async def list_runs(self, **filters: Unpack[RunList]) -> Page[Run]:
        """One page, the newest first. Of several states or causes one is enough; `from_` and `to` judge
        `scheduledFor`.
        """
        return await self._send(get("/runs", Page[Run], filters))

    def iter_runs(self, **filters: Unpack[RunFilter]) -> AsyncIterator[Run]:
        """All that `list_runs` would answer, page by page."""
        return self._every(get("/runs", Page[Run], {**filters, "limit": WHOLE_PAGE}))

    async def count_runs(self, *, job: str | None = None, scheduleId: str | None = None) -> RunCounts:
        """By state, with those that were removed long ago."""
        return await self._send(get("/runs/counts", RunCounts, {"job": job, "scheduleId": scheduleId}))

    async def list_run_events(self, run_id: str, /, **filters: Unpack[Paging]) -> Page[Event]:
        """Its history, the oldest first."""
        return await self._send(get(f"/runs/{part(run_id)}/events", Page[Event], filters))

    def iter_run_events(self, run_id: str) -> AsyncIterator[Event]:
        return self._every(get(f"/runs/{part(run_id)}/events", Page[Event], {"limit": WHOLE_PAGE}))

    async def cancel_run(self, run_id: str, reason: str = "", *, idempotency_key: str | None = None) -> Run:
        """The run as it then is: one that is RUNNING goes on until its worker has stopped it."""
        return await self._send(post(f"/runs/{part(run_id)}/cancel", Run, {"reason": reason}, idempotency_key))

    async def retry_run(
        self, run_id: str, /, *, idempotency_key: str | None = None, **order: Unpack[WithPayload]
    ) -> Run:
        """Has a run that ended carried out once more: answers the new run. `payload`, if given, replaces the old."""
        return await self._send(post(f"/runs/{part(run_id)}/retry", Run, order, idempotency_key))
