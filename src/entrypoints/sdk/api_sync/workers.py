# Made from sdk/api by tests/support/twin.py: change it there.
"""The client's calls about workers."""

from collections.abc import Iterator
from typing import Unpack

from rota.entrypoints.sdk.api_sync.sender import Sender
from rota.entrypoints.sdk.call import WHOLE_PAGE, get, part, post
from rota.entrypoints.sdk.definitions import Numbered
from rota.entrypoints.sdk.models import Page, Rejection, Worker


class Workers(Sender):
    def get_worker(self, worker_id: str) -> Worker:
        return self._send(get(f"/workers/{part(worker_id)}", Worker))

    def list_workers(self, **filters: Unpack[Numbered]) -> Page[Worker]:
        return self._send(get("/workers", Page[Worker], filters))

    def iter_workers(self) -> Iterator[Worker]:
        return self._every(get("/workers", Page[Worker], {"limit": WHOLE_PAGE}))

    def drain_worker(self, worker_id: str, *, idempotency_key: str | None = None) -> Worker:
        """It takes no new runs; those that it has go on, or are handed back."""
        return self._send(post(f"/workers/{part(worker_id)}/drain", Worker, {}, idempotency_key))

    def list_rejections(self, **filters: Unpack[Numbered]) -> Page[Rejection]:
        """Reports of workers that changed nothing, the newest first."""
        return self._send(get("/reports/rejected", Page[Rejection], filters))

    def iter_rejections(self) -> Iterator[Rejection]:
        return self._every(get("/reports/rejected", Page[Rejection], {"limit": WHOLE_PAGE}))
