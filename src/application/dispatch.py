"""Putting runs on the bus: who may go at once, and how they get there."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from rota.application.cancellation import pass_on_cancellation
from rota.application.ports.bus import Nudge, WorkItem, WorkLanes
from rota.application.ports.keys import LaneKey
from rota.domain.run import Run

RETRY_PAUSE = 0.25
BATCH = 2_000
WINDOW = 2_000
"""How much work may stand in a lane of the bus at once: what is more waits in the store, which can choose."""


class Credit(Protocol):
    """Who may go without waiting for the leader to give turns."""

    def grant(self, run: Run) -> bool:
        """Whether this run may go to its lane now; one that may not waits for its turn."""
        ...


class LaneCredit:
    """Lets a run go at once as long as its lane has room and nobody waits there.

    What counts starts (a limit, a concurrency key) is only for the leader to decide. The view of the lanes is this
    process's own: grants count at once, and `look` brings it up to date; so a window may be overrun a little.
    """

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._used: dict[LaneKey, int] = {}
        self._closed: frozenset[LaneKey] = frozenset()

    def grant(self, run: Run) -> bool:
        if not self._sender.is_flowing or run.terms.is_limited or run.concurrency_key is not None:
            return False
        lane = (run.tenant_id, run.lane)
        used = self._used.get(lane, 0)
        if used >= WINDOW or lane in self._closed:
            return False
        self._used[lane] = used + 1
        return True

    @property
    def in_use(self) -> Sequence[LaneKey]:
        """The lanes that this process believes to be in use, or closed."""
        return list(self._used.keys() | self._closed)

    def look(self, queued: Mapping[LaneKey, int], waiting: Iterable[LaneKey]) -> None:
        """How many runs are QUEUED in the lanes in use, and in which lanes some wait for their turn."""
        self._used = {lane: count for lane, count in queued.items() if count}
        self._closed = frozenset(waiting)


class Sender:
    """Sends work messages behind the callers' backs, in windows, until the bus has acknowledged them.

    What it holds is lost with the process, and found again: by the next leader, or by the lanes' keeper.
    Deliveries are carried out by Rota itself: for them it only wakes those who do.
    """

    def __init__(self, lanes: WorkLanes, deliveries: Nudge) -> None:
        self._lanes = lanes
        self._deliveries = deliveries
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
        deliveries = False
        for run in runs:
            if run.job is None:
                deliveries = True
            else:
                self._waiting.append(to_work(run))
        if deliveries:
            self._deliveries()
        if self._waiting:
            self._idle.clear()
            self._wanted.set()

    async def drained(self) -> None:
        """Waits until nothing is left to send; where everything ends, whoever sends may have ended before."""
        pass_on_cancellation()
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
        window = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
        unsent = await self._try(window)
        self._failing = bool(unsent)
        if unsent:
            self._waiting.extendleft(reversed(unsent))
            await asyncio.sleep(RETRY_PAUSE)

    async def _try(self, window: Sequence[WorkItem]) -> Sequence[WorkItem]:
        return await self._lanes.send(window) if self._lanes.is_up else window


def to_work(run: Run) -> WorkItem:
    """Raises AssertionError for a delivery, which is no work for a worker."""
    assert run.job is not None
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
        deadline=run.deadline_at,
        correlation_id=run.correlation_id,
        traceparent=run.traceparent,
    )
