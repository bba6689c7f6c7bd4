"""Events on the bus, as CloudEvents 1.0 in JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import orjson
import structlog
from uuid_utils.compat import uuid7

from rota.application.json import dump_bytes
from rota.application.ports.log import LogEntry
from rota.application.views.events import SOURCE, event_view
from rota.application.views.workers import worker_view
from rota.domain.errors import UnavailableError
from rota.domain.worker import WorkerSnapshot
from rota.infrastructure.nats import names
from rota.infrastructure.nats.connection import Connection
from rota.infrastructure.nats.provisioner import Provisioner
from rota.infrastructure.nats.publisher import Message, PubAck, Publisher

log = structlog.get_logger()


class NatsEventFeed:
    """A stream that is gone is made anew; what it held stays readable in the log."""

    def __init__(self, publisher: Publisher, provisioner: Provisioner) -> None:
        self._publisher = publisher
        self._provisioner = provisioner

    async def publish(self, entries: Sequence[LogEntry]) -> int:
        results = await self._publisher.publish([event_message(entry) for entry in entries])
        for index, result in enumerate(results):
            if not isinstance(result, PubAck):
                log.warning("events_not_acknowledged", first=entries[index].position, reason=result.reason)
                await self._repair(result.code)
                return index
        return len(entries)

    async def _repair(self, code: int) -> None:
        if code != 503:
            return
        try:
            await self._provisioner.ensure_streams()
        except UnavailableError as error:
            log.warning("bus_not_repaired", error=str(error))


def event_message(entry: LogEntry) -> Message:
    aggregate, _, event = entry.type.partition(".")
    return Message(names.event_subject(aggregate, event, entry.tenant_id), dump_bytes(event_view(entry)), str(entry.id))


class NatsAnnounce:
    """Published like every event, and not waited for: the next one comes in a minute."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def __call__(self, workers: Sequence[WorkerSnapshot], at: datetime) -> None:
        if not self._connection.is_connected:
            return
        for worker in workers:
            subject = names.event_subject("worker", "heartbeat", worker.tenant_id)
            await self._connection.publish(subject, heartbeat_event(worker, at))


def heartbeat_event(worker: WorkerSnapshot, at: datetime) -> bytes:
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": uuid7(),
            "source": SOURCE,
            "type": "scheduler.worker.heartbeat",
            "subject": worker.id,
            "time": at,
            "datacontenttype": "application/json",
            "tenantid": worker.tenant_id,
            "data": worker_view(worker),
        },
        default=str,
        option=orjson.OPT_UTC_Z,
    )
