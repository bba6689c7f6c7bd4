"""Heartbeats, a batch at a time, and what each worker is told in answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rota.application.command import Message
from rota.application.ports.bus import Announce, Control
from rota.application.ports.clock import Clock
from rota.application.ports.keys import RunKey, WorkerKey
from rota.application.ports.store import Begin
from rota.application.stopping import asked_to_stop
from rota.domain.ids import RunId, TenantId, WorkerId
from rota.domain.run import Run
from rota.domain.run_events import RunState
from rota.domain.worker import Beat, ReportSeq, Worker, WorkerState


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    tenant_id: TenantId
    worker_id: WorkerId
    slots: int
    running: frozenset[RunId]
    report_seq: ReportSeq | None
    draining: bool = False


@dataclass(frozen=True, slots=True)
class TakeHeartbeats(Message[Sequence[Sequence[Control]]]):
    """Answers one list of orders for each heartbeat, in the same order."""

    beats: Sequence[Heartbeat]


@dataclass(frozen=True, slots=True)
class TakeHeartbeatsHandler:
    begin: Begin
    clock: Clock
    announce: Announce

    async def __call__(self, command: TakeHeartbeats) -> Sequence[Sequence[Control]]:
        now = self.clock.now()
        async with self.begin() as work:
            keys = {(beat.tenant_id, beat.worker_id) for beat in command.beats}
            workers = await work.workers.load(keys)
            due = await work.workers.beat(
                {
                    (beat.tenant_id, beat.worker_id): Beat(
                        now, beat.slots, beat.running, beat.report_seq, beat.draining
                    )
                    for beat in command.beats
                    if _is_alive(workers, beat)
                }
            )
            await work.commit()
        await self.announce(due, now)
        async with self.begin() as work:
            named = await work.runs.peek((beat.tenant_id, run_id) for beat in command.beats for run_id in beat.running)
        return [_orders(beat, workers, named) for beat in command.beats]


def _is_alive(workers: Mapping[WorkerKey, Worker], beat: Heartbeat) -> bool:
    worker = workers.get((beat.tenant_id, beat.worker_id))
    return worker is not None and worker.state is not WorkerState.OFFLINE


def _orders(beat: Heartbeat, workers: Mapping[WorkerKey, Worker], named: Mapping[RunKey, Run]) -> Sequence[Control]:
    if not _is_alive(workers, beat):
        return [Control("REGISTER", "the worker is unknown or was given up")]
    orders = [
        Control("LOST", "the attempt is not this worker's", run_id, lost_to)
        for run_id in beat.running
        if (lost_to := _lost_attempt(beat.worker_id, named.get((beat.tenant_id, run_id)))) is not None
    ]
    for run_id in beat.running:
        orders += _cancellation(beat.worker_id, named.get((beat.tenant_id, run_id)))
    if workers[beat.tenant_id, beat.worker_id].state is WorkerState.DRAINING and not beat.draining:
        orders.append(Control("DRAIN", "asked to drain"))
    return orders


def _cancellation(worker_id: WorkerId, run: Run | None) -> Sequence[Control]:
    if run is None or run.cancel_requested_at is None or run.worker_id != worker_id:
        return []
    return [order for _, _, order in asked_to_stop(run)]


def _lost_attempt(worker_id: WorkerId, run: Run | None) -> int | None:
    """The latest attempt of the run that can no longer be this worker's; None if its present one may be."""
    if run is None:
        return None
    owned_elsewhere = run.worker_id is not None and run.worker_id != worker_id
    if owned_elsewhere or run.state.is_final or run.state is RunState.RETRYING:
        return run.attempt
    return run.attempt - 1 or None
