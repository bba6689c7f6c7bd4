"""The client's calls about workers."""

from collections.abc import AsyncIterator
from typing import Unpack

from rota.entrypoints.sdk.api.sender import Sender
from rota.entrypoints.sdk.call import WHOLE_PAGE, get, part, post
from rota.entrypoints.sdk.definitions import Numbered
from rota.entrypoints.sdk.models import Page, Rejection, Worker


class Workers(Sender):
    async def get_worker(self, worker_id: str) -> Worker:
        return await self._send(get(f"/workers/{part(worker_id)}", Worker))

    async def list_workers(self, **filters: Unpack[Numbered]) -> Page[Worker]:
        return await self._send(get("/workers", Page[Worker], filters))

    def iter_workers(self) -> AsyncIterator[Worker]:
        return self._every(get("/workers", Page[Worker], {"limit": WHOLE_PAGE}))

    async def drain_worker(self, worker_id: str, *, idempotency_key: str | None = None) -> Worker:
        """It takes no new runs; those that it has go on, or are handed back."""
        return await self._send(post(f"/workers/{part(worker_id)}/drain", Worker, {}, idempotency_key))

    async def list_rejections(self, **filters: Unpack[Numbered]) -> Page[Rejection]:
        """Reports of workers that changed nothing, the newest first."""
        return await self._send(get("/reports/rejected", Page[Rejection], filters))

    def iter_rejections(self) -> AsyncIterator[Rejection]:
        return self._every(get("/reports/rejected", Page[Rejection], {"limit": WHOLE_PAGE}))
