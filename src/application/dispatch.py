"""Putting runs on the bus: who may go, and how they get there."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Protocol

from rota.application.cancellation import pass_on_cancellation
from rota.application.ports.bus import WorkItem, WorkLanes
from rota.domain.run import Run

RETRY_PAUSE = 0.25
WINDOW = 2_000


class Credit(Protocol):
    """How much work may stand in a lane at once. Here is the seam for fairness and limits."""

    def grant(self, run: Run) -> bool:
        """Whether this run may go to its lane now; a run that may not stays PENDING."""
        ...


class OpenCredit:
    """Every lane is open as long as the bus is: what cannot be sent had better wait in the store."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def grant(self, run: Run) -> bool:
        return self._sender.is_flowing


class Sender:
    """Sends work messages behind the callers' backs, in windows, until the bus has acknowledged them.

    What it holds is lost with the process, and found again: by the next leader, or by the lanes' keeper.
    """

    def __init__(self, lanes: WorkLanes) -> None:
        self._lanes = lanes
        self._waiting: deque[WorkItem] = deque()
        self._wanted = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._failing = False

    @property
    def is_flowing(self) -> bool:
        return self._lanes.is_up and not self._failing

    @property
    def is_idle(self) -> bool:
        """Nothing waits to be sent."""
        return self._idle.is_set()

    def send(self, runs: Iterable[Run]) -> None:
        """Takes QUEUED runs; returns at once."""
        self._waiting.extend(to_work(run) for run in runs)
        if self._waiting:
            self._idle.clear()
            self._wanted.set()

    async def drained(self) -> None:
        await self._idle.wait()

    async def run(self) -> None:
        """Sends for as long as it lives."""
        while True:
            await self._wanted.wait()
            while self._waiting:
                await self._send_window()
                pass_on_cancellation()
            self._wanted.clear()
            self._idle.set()

    async def _send_window(self) -> None:
        window = [self._waiting.popleft() for _ in range(min(WINDOW, len(self._waiting)))]
        unsent = await self._try(window)
        self._failing = bool(unsent)
        if unsent:
            self._waiting.extendleft(reversed(unsent))
            await asyncio.sleep(RETRY_PAUSE)

    async def _try(self, window: Sequence[WorkItem]) -> Sequence[WorkItem]:
        return await self._lanes.send(window) if self._lanes.is_up else window


def to_work(run: Run) -> WorkItem:
    return WorkItem(
        run_id=run.id,
        attempt=run.attempt,
        sends=run.sends,
        tenant_id=run.tenant_id,
        job_id=run.job.id,
        job=run.job.name,
        queue=run.job.queue,
        payload=run.payload,
        scheduled_for=run.scheduled_for,
        due_at=run.due_at,
        timeout_sec=run.job.timeout.total_seconds(),
        correlation_id=run.correlation_id,
        traceparent=run.traceparent,
    )
