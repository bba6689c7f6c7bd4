"""QUEUE targets on brokers of the operator's: RabbitMQ, Redis streams, Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Final, assert_never

import structlog

from rota.application.json import dump
from rota.application.ports.deliveries import Delivered, Outcome, Parcel, Undelivered
from rota.domain.attempt import RunError
from rota.domain.delivery import QueueReceiver
from rota.domain.errors import InvalidError, UnavailableError
from rota.domain.payload import Json
from rota.infrastructure.brokers.addresses import Kind, check_brokers, field_of, kafka_servers, kind_of
from rota.infrastructure.brokers.letter import letter_of
from rota.infrastructure.brokers.line import Line, PausingError
from rota.infrastructure.brokers.link import Connect, RefusedError

log = structlog.get_logger()

UNAVAILABLE: Final = "BrokerUnavailable"
REFUSED: Final = "BrokerRefused"
UNKNOWN: Final = "UnknownBroker"
UNFORESEEN: Final = "DeliveryBroken"


def connect_to(name: str, url: str) -> Connect:
    """How to open that broker. Raises InvalidError if the extra that it needs is not installed."""
    field = field_of(name)
    kind = kind_of(url, field)
    try:
        return _connect(kind, url, field)
    except ImportError as error:
        raise InvalidError(f"needs an extra that is not installed: rota[{kind.value}]", field) from error


def _connect(kind: Kind, url: str, field: str) -> Connect:
    """Imports here, so that nobody needs the library of a broker that is not theirs."""
    match kind:
        case Kind.RABBIT:
            from rota.infrastructure.brokers.rabbit import open_rabbit

            return partial(open_rabbit, url)
        case Kind.REDIS:
            from rota.infrastructure.brokers.redis import open_redis

            return partial(open_redis, url)
        case Kind.KAFKA:
            from rota.infrastructure.brokers.kafka import open_kafka

            return partial(open_kafka, kafka_servers(url, field))
    assert_never(kind)


class BrokerCarrier:
    """Delivers to the brokers by name; each is opened when its first parcel comes, and none waits for another.

    Errors are `BrokerUnavailable` (it may have arrived all the same), `BrokerRefused`, `UnknownBroker`, and
    `DeliveryBroken` for a fault of ours. A parcel that comes while its broker is left alone was not tried.
    """

    def __init__(self, brokers: Mapping[str, str], *, connect_to: Callable[[str, str], Connect] = connect_to) -> None:
        """`brokers` are URLs by name; the libraries of the kinds named are loaded, and no other.

        Raises InvalidError that names the entry: what `parse_brokers` refuses, or an extra that is not installed.
        """
        check_brokers(brokers)
        self._lines = {name: Line(name, connect_to(name, url)) for name, url in brokers.items()}

    async def carry(self, parcels: Sequence[Parcel], done: Callable[[Parcel, Outcome], None]) -> None:
        async with asyncio.TaskGroup() as group:
            for parcel in parcels:
                group.create_task(self._deliver(parcel, done))

    async def close(self) -> None:
        """Leaves all brokers, within seconds; a parcel carried later opens its broker anew."""
        await asyncio.gather(*(line.close() for line in self._lines.values()))

    async def _deliver(self, parcel: Parcel, done: Callable[[Parcel, Outcome], None]) -> None:
        try:
            outcome = await self._outcome(parcel)
        except Exception:  # a neighbour must not suffer from what nobody thought of
            log.exception("delivery_broken", tenant_id=parcel.tenant_id, run_id=str(parcel.run_id))
            outcome = _undelivered(UNFORESEEN, "the delivery broke inside Rota; its log tells why")
        done(parcel, outcome)

    async def _outcome(self, parcel: Parcel) -> Outcome:
        match parcel.receiver:
            case QueueReceiver(topic, str(broker)) if broker in self._lines:
                return await self._put(broker, topic, parcel)
            case _:
                return _undelivered(UNKNOWN, "no broker of this name is configured", retryable=False)

    async def _put(self, broker: str, topic: str, parcel: Parcel) -> Outcome:
        try:
            async with asyncio.timeout(parcel.timeout.total_seconds()):
                place = await self._lines[broker].put(letter_of(parcel, topic))
        except TimeoutError:
            return _undelivered(UNAVAILABLE, f"the broker {broker!r} did not confirm in time")
        except PausingError as error:
            return Undelivered(
                error=RunError(UNAVAILABLE, str(error)),
                was_tried=False,
                retry_after=timedelta(seconds=error.retry_after),
            )
        except UnavailableError as error:
            return _undelivered(UNAVAILABLE, str(error))
        except RefusedError as error:
            return _undelivered(REFUSED, str(error), retryable=error.retryable)
        return Delivered(Json(dump({"broker": broker, **place})))


def _undelivered(kind: str, message: str, *, retryable: bool = True) -> Undelivered:
    return Undelivered(error=RunError(kind, message), retryable=retryable)
