"""Work on the bus: lanes made, messages sent, and looks at what waits there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import orjson
import structlog

from rota.application.ports.bus import IntakeLook, Lane, LaneAddress, StreamLook, WorkItem
from rota.domain.errors import UnavailableError
from rota.infrastructure.nats import names
from rota.infrastructure.nats.connection import Connection
from rota.infrastructure.nats.provisioner import IntakeFloor, Provisioner, StreamState
from rota.infrastructure.nats.publisher import Message, PubAck, Publisher, PublishFailure

log = structlog.get_logger()


class NatsWorkLanes:
    """Whatever is found missing on the way is made anew."""

    def __init__(self, connection: Connection, publisher: Publisher, provisioner: Provisioner) -> None:
        self._connection = connection
        self._publisher = publisher
        self._provisioner = provisioner

    @property
    def is_up(self) -> bool:
        return self._connection.is_connected

    async def send(self, items: Sequence[WorkItem]) -> Sequence[WorkItem]:
        results = await self._publisher.publish([work_message(item) for item in items])
        unsent = [item for item, result in zip(items, results, strict=True) if not isinstance(result, PubAck)]
        failure = next((result for result in results if isinstance(result, PublishFailure)), None)
        if failure:
            log.warning("work_not_acknowledged", messages=len(unsent), reason=failure.reason)
        return unsent

    async def provide(self, lanes: Iterable[Lane]) -> None:
        await self._provisioner.ensure_lanes([names.Lane(lane.tenant_id, lane.job_id) for lane in lanes])

    def address(self, lane: Lane) -> LaneAddress:
        return LaneAddress(names.WORK, names.Lane(lane.tenant_id, lane.job_id).durable)

    async def remove(self, lane: Lane) -> None:
        await self._provisioner.remove_lane(names.Lane(lane.tenant_id, lane.job_id))

    async def restore(self, lanes: Iterable[Lane]) -> Sequence[Lane]:
        there = await self._provisioner.lane_names()
        gone = [lane for lane in lanes if names.Lane(lane.tenant_id, lane.job_id).durable not in there]
        for lane in gone:
            self._provisioner.forget(names.Lane(lane.tenant_id, lane.job_id))
        await self.provide(gone)
        return gone

    async def look(self) -> StreamLook:
        state = await self._state(names.WORK)
        return StreamLook(state.created.isoformat(), state.last_seq)

    async def waiting(self, lane: Lane) -> int:
        own = names.Lane(lane.tenant_id, lane.job_id)
        state = await self._provisioner.lane_state(own)
        if state is None:
            self._provisioner.forget(own)
            await self._provisioner.ensure_lanes([own])
            state = await self._provisioner.lane_state(own)
        if state is None:
            raise UnavailableError("the lane cannot be made")
        return state.pending + state.unacked

    async def intake(self) -> IntakeLook:
        state = await self._state(names.REPORTS)
        floor = await self._provisioner.intake_floor()
        if floor is None:
            await self._provisioner.ensure_intake()
            floor = await self._provisioner.intake_floor()
        if floor is None or floor.stream_created != state.created:
            raise UnavailableError("the report stream is being made anew")
        return IntakeLook(state.created.isoformat(), state.last_seq, _reached(floor, state))

    async def _state(self, stream: str) -> StreamState:
        state = await self._provisioner.stream_state(stream)
        if state is None:
            await self._provisioner.ensure_streams()
            state = await self._provisioner.stream_state(stream)
        if state is None:
            raise UnavailableError(f"{stream} cannot be made")
        return state


def _reached(floor: IntakeFloor, state: StreamState) -> int:
    """An idle consumer's floor may stand before the end although nothing is left: then the end is reached."""
    if floor.pending == 0 and floor.unacked == 0:
        return max(floor.seq, state.last_seq)
    return floor.seq


def work_message(item: WorkItem) -> Message:
    run_id = str(item.run_id)
    body = orjson.dumps(
        {
            "runId": run_id,
            "attempt": item.attempt,
            "tenantId": item.tenant_id,
            "job": item.job,
            "queue": item.queue,
            "payload": orjson.Fragment(item.payload or "null"),
            "scheduledFor": item.scheduled_for,
            "dueAt": item.due_at,
            "timeoutSec": item.timeout_sec,
            "deadline": item.deadline,
            "idempotencyKey": run_id,
            "correlationId": item.correlation_id,
            "traceparent": item.traceparent,
        },
        option=orjson.OPT_UTC_Z,
    )
    subject = names.work_subject(item.tenant_id, item.queue, item.job_id)
    return Message(subject, body, names.work_message_id(run_id, item.attempt, item.sends))
