"""A carrier takes deliveries that are QUEUED: from then on they are its own, and RUNNING."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeGuard
from uuid import UUID

from rota.application.command import Message
from rota.application.ports.checkpoint import Checkpoint, pass_by
from rota.application.ports.clock import Clock
from rota.application.ports.deliveries import Parcel
from rota.application.ports.store import Begin, UnitOfWork
from rota.domain.ids import RunId, ScheduleId, WorkerId
from rota.domain.run import Run
from rota.domain.run_events import RunState


@dataclass(frozen=True, slots=True)
class ClaimDeliveries(Message[Sequence[Parcel]]):
    """Answers what the carrier has to deliver, at most `limit`; beyond that only what an earlier claim had won."""

    carrier: WorkerId
    limit: int


@dataclass(slots=True)
class ClaimDeliveriesHandler:
    """For one process. A claim that was stored although it seemed to fail is found out with the next one: nobody
    else would look for its runs, as their carrier lives.
    """

    begin: Begin
    clock: Clock
    at: Checkpoint = pass_by
    _unsure: Sequence[Parcel] = field(default=(), init=False)

    async def __call__(self, command: ClaimDeliveries) -> Sequence[Parcel]:
        if self._unsure and (won := await self._won_after_all(command.carrier)):
            return won
        if command.limit <= 0:
            return ()
        async with self.begin() as work:
            parcels = await self._start(work, command)
            if not parcels:
                return ()
            self._unsure = parcels
            self.at("claim.before_commit")
            await work.commit()
        self._unsure = ()
        self.at("claim.after_commit")
        return parcels

    async def _start(self, work: UnitOfWork, command: ClaimDeliveries) -> Sequence[Parcel]:
        runs = await work.runs.deliverable(command.limit)
        now = self.clock.now()
        for run in runs:
            run.start(command.carrier, None, now)
        return [to_parcel(run) for run in runs]

    async def _won_after_all(self, carrier: WorkerId) -> Sequence[Parcel]:
        """Loaded, not peeked at: where the commit is still under way, this waits for its end."""
        async with self.begin() as work:
            runs = await work.runs.load((parcel.tenant_id, parcel.run_id) for parcel in self._unsure)
        unsure, self._unsure = self._unsure, ()
        return [each for each in unsure if is_carried(runs.get((each.tenant_id, each.run_id)), each, carrier)]


def is_carried(run: Run | None, parcel: Parcel, carrier: WorkerId) -> TypeGuard[Run]:
    """Whether the parcel is still the run's current attempt, and this carrier's."""
    return run is not None and run.state is RunState.RUNNING and run.is_current(parcel.attempt, carrier)


def to_parcel(run: Run) -> Parcel:
    """Raises AssertionError for a run of a job, which is a worker's.

    Ids become plain UUIDs: a store may hand out a kind of its own, which not everybody can write down.
    """
    assert run.delivery is not None
    return Parcel(
        tenant_id=run.tenant_id,
        run_id=RunId(UUID(int=run.id.int)),
        attempt=run.attempt,
        schedule_id=run.schedule_id and ScheduleId(UUID(int=run.schedule_id.int)),
        receiver=run.delivery.receiver,
        payload=run.payload,
        scheduled_for=run.scheduled_for,
        due_at=run.due_at,
        timeout=run.delivery.timeout,
        correlation_id=run.correlation_id,
        traceparent=run.traceparent,
    )
