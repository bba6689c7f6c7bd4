"""The bus may lose work, in part or whole; here it is found out and sent again.

Two questions, and in both cases the workers' STARTED reports that are still on their way must be waited for,
since a worker acknowledges its work before intake has stored that it started:

    look 1: how many messages wait in the lane (W), and where the report stream ends (R)
    ... until intake's floor has passed R ...
    look 2: how many runs that were QUEUED before look 1 are QUEUED still (Q)

Had nothing been lost, all of Q would have been among W. So Q > W proves a loss; it must be proven twice running.
A work stream that is younger, or shorter, than it was last seen has lost everything that was in it: what was queued
before the younger one was made. Should the bus's clock be behind the database's, the lanes' proof finds the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from rota.application.command import Message
from rota.application.dispatch import Sender
from rota.application.ports.bus import IntakeLook, Lane, WorkLanes
from rota.application.ports.clock import Clock
from rota.application.ports.keys import RunKey
from rota.application.ports.log import Cursor, Cursors
from rota.application.ports.queued_runs import QueuedRuns

log = structlog.get_logger()

SETTLING = timedelta(seconds=2)
"""A run is asked about only this long after it was queued: by then its message should have been sent."""
PROOFS = 2
PAGE = 1_000
WORK = "work-stream"


@dataclass(frozen=True, slots=True)
class KeepLanes(Message[int]):
    """One look; answers how many runs were sent anew."""


@dataclass(slots=True)
class _Suspicion:
    """Open until intake has passed `reports`."""

    at: datetime
    reports: IntakeLook
    waiting: int = 0
    proofs: int = 0


@dataclass(slots=True)
class KeepLanesHandler:
    """Remembers its looks; what a change of leader makes it forget, it looks at again."""

    lanes: WorkLanes
    queued: QueuedRuns
    cursors: Cursors
    clock: Clock
    sender: Sender
    _lanes: dict[Lane, _Suspicion] = field(default_factory=dict)
    _wiped: _Suspicion | None = None

    async def __call__(self, command: KeepLanes) -> int:
        if not self.sender.is_idle:
            return 0
        await self._look_at_stream()
        intake = await self.lanes.intake()
        if self._wiped:
            return await self._judge_wipe(self._wiped, intake)
        return await self._judge_lanes(intake)

    async def _look_at_stream(self) -> None:
        known = await self.cursors.read(WORK)
        seen = await self.lanes.look()
        if known and (known.generation != seen.created or seen.last_seq < known.position):
            log.warning("work_stream_lost", created=seen.created, last_seq=seen.last_seq, known=known.position)
            is_new = known.generation != seen.created
            lost_before = datetime.fromisoformat(seen.created) if is_new else self.clock.now()
            self._wiped = _Suspicion(min(lost_before, self.clock.now()), await self.lanes.intake())
        if known != Cursor(seen.last_seq, seen.created):
            await self.cursors.move(WORK, Cursor(seen.last_seq, seen.created))

    async def _judge_wipe(self, wiped: _Suspicion, intake: IntakeLook) -> int:
        if not _has_passed(intake, wiped.reports):
            return 0
        self._wiped = None
        self._lanes.clear()
        return await self._send_anew(wiped.at, None)

    async def _judge_lanes(self, intake: IntakeLook) -> int:
        now = self.clock.now()
        counted = dict(await self.queued.lanes(now - SETTLING))
        for lane in self._lanes.keys() - counted.keys():
            del self._lanes[lane]
        sent = 0
        for lane in counted:
            sent += await self._judge_lane(lane, now, intake)
        return sent

    async def _judge_lane(self, lane: Lane, now: datetime, intake: IntakeLook) -> int:
        look = self._lanes.get(lane)
        if look and not _has_passed(intake, look.reports):
            return 0
        proofs = 0
        if look:
            still_queued = dict(await self.queued.lanes(look.at)).get(lane, 0)
            proofs = look.proofs + 1 if still_queued > look.waiting else 0
        if look and proofs >= PROOFS:
            del self._lanes[lane]
            log.warning("lane_lost_messages", tenant=lane.tenant_id, job_id=str(lane.job_id), waiting=look.waiting)
            return await self._send_anew(look.at, lane)
        waiting = await self.lanes.waiting(lane)
        self._lanes[lane] = _Suspicion(now - SETTLING, await self.lanes.intake(), waiting, proofs)
        return 0

    async def _send_anew(self, queued_before: datetime, lane: Lane | None) -> int:
        sent = 0
        after: RunKey | None = None
        while runs := await self.queued.send_anew(queued_before, lane, after, PAGE):
            self.sender.send(runs)
            await self.sender.drained()
            sent += len(runs)
            after = (runs[-1].tenant_id, runs[-1].id)
        if sent:
            log.warning("work_sent_anew", runs=sent)
        return sent


def _has_passed(now: IntakeLook, then: IntakeLook) -> bool:
    return now.created != then.created or now.floor >= then.last_seq
