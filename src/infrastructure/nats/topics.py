"""Targets on the bus: CloudEvents for listeners, bare payloads for queues, both on `topic.<tenant>.<topic>`.

The message id is the run's, whatever the attempt: over its retries a run is stored once, as far as the
stream's dedup window reaches.

A CloudEvent's `type` is the topic as the schedule names it, for that is what a listener tells events apart by.
Its `time` is the moment it was due (`dueAt`), its `scheduledfor` the due time it stands for; the two differ
where a calendar or jitter moved it. An attribute that has no value is left out.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Final, assert_never

import orjson
import structlog

from rota.application.json import dump, dump_bytes
from rota.application.ports.deliveries import Delivered, Outcome, Parcel, Undelivered
from rota.application.views.events import SOURCE
from rota.domain.attempt import RunError
from rota.domain.delivery import EventReceiver, QueueReceiver
from rota.domain.errors import RotaError
from rota.domain.payload import Json
from rota.infrastructure.brokers.letter import body_of, headers_of
from rota.infrastructure.nats import names
from rota.infrastructure.nats.provisioner import Provisioner
from rota.infrastructure.nats.publisher import Message, PubAck, Publisher, PublishFailure, Result
from rota.infrastructure.nats.publisher import Outcome as PublishOutcome

log = structlog.get_logger()

UNAVAILABLE: Final = "BusUnavailable"
REFUSED: Final = "BusRefused"

WAIT_FOR_LINK: Final = timedelta(seconds=1)
"""When a parcel may be tried again that could not be sent."""

_TOO_LARGE: Final = 413
_NO_STREAM: Final = 503
_LATE: Final = PublishFailure(PublishOutcome.UNKNOWN, "no acknowledgement in the time given")
_BROKEN: Final = PublishFailure(PublishOutcome.UNKNOWN, "the delivery broke inside Rota; its log tells why")


class NatsTopicCarrier:
    """Delivers to EVENT targets, and to QUEUE targets that name no broker.

    Errors are `BusUnavailable` (unless it was not tried, it may be stored all the same) and `BusRefused`. With a
    provisioner, a stream that is gone is made anew, for the next attempt.
    """

    def __init__(self, publisher: Publisher, provisioner: Provisioner | None = None) -> None:
        self._publisher = publisher
        self._provisioner = provisioner

    async def carry(self, parcels: Sequence[Parcel], done: Callable[[Parcel, Outcome], None]) -> None:
        """What has the same time limit is published as one batch, in the order given."""
        together: dict[timedelta, list[Parcel]] = defaultdict(list)
        for parcel in parcels:
            together[parcel.timeout].append(parcel)
        async with asyncio.TaskGroup() as group:
            for timeout, batch in together.items():
                group.create_task(self._carry(batch, timeout, done))

    async def _carry(
        self, batch: Sequence[Parcel], timeout: timedelta, done: Callable[[Parcel, Outcome], None]
    ) -> None:
        results = await self._publish(batch, timeout)
        for parcel, result in zip(batch, results, strict=True):
            done(parcel, outcome_of(result))
        await self._repair(results)

    async def _publish(self, batch: Sequence[Parcel], timeout: timedelta) -> Sequence[Result]:
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                return await self._publisher.publish([topic_message(parcel) for parcel in batch])
        except TimeoutError:
            return [_LATE] * len(batch)
        except Exception:  # another batch must not suffer from what nobody thought of
            log.exception("topics_not_published", parcels=len(batch))
            return [_BROKEN] * len(batch)

    async def _repair(self, results: Iterable[Result]) -> None:
        failure = next((result for result in results if isinstance(result, PublishFailure)), None)
        if failure is None:
            return
        log.warning("topics_not_acknowledged", reason=failure.reason)
        if failure.code != _NO_STREAM or self._provisioner is None:
            return
        try:
            await self._provisioner.ensure_streams()
        except RotaError as error:
            log.warning("bus_not_repaired", error=str(error))


def topic_message(parcel: Parcel) -> Message:
    match parcel.receiver:
        case EventReceiver(topic):
            return Message(names.topic_subject(parcel.tenant_id, topic), cloud_event(parcel, topic), str(parcel.run_id))
        case QueueReceiver(topic, None):
            headers = tuple(headers_of(parcel).items())
            subject = names.topic_subject(parcel.tenant_id, topic)
            return Message(subject, body_of(parcel), str(parcel.run_id), headers)
        case other:
            raise TypeError(f"{other!r} is not on the bus")


def cloud_event(parcel: Parcel, topic: str) -> bytes:
    """CloudEvents 1.0, structured, in JSON; `data` is null where there is no payload."""
    attributes = {
        "specversion": "1.0",
        "id": parcel.run_id,
        "source": SOURCE,
        "type": topic,
        "subject": parcel.schedule_id,
        "time": parcel.due_at,
        "scheduledfor": parcel.scheduled_for,
        "datacontenttype": "application/json",
        "tenantid": parcel.tenant_id,
        "correlationid": parcel.correlation_id,
        "traceparent": parcel.traceparent,
    }
    given = {name: value for name, value in attributes.items() if value is not None}
    return dump_bytes({**given, "data": orjson.Fragment(parcel.payload or "null")})


def outcome_of(result: Result) -> Outcome:
    if isinstance(result, PubAck):
        return Delivered(Json(dump(result._asdict())))
    match result.outcome:
        case PublishOutcome.REFUSED:
            return Undelivered(error=RunError(REFUSED, result.reason), retryable=result.code != _TOO_LARGE)
        case PublishOutcome.UNSENT:
            return Undelivered(error=RunError(UNAVAILABLE, result.reason), was_tried=False, retry_after=WAIT_FOR_LINK)
        case PublishOutcome.UNKNOWN:
            return Undelivered(error=RunError(UNAVAILABLE, result.reason))
    assert_never(result.outcome)
