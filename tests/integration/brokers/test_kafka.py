"""Kafka's protocol, spoken with the mock cluster inside librdkafka: one process, no disk, no replicas.

It proves that letters are sent, confirmed and read back over a socket; not that a cluster keeps them.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaConsumer  # type: ignore[import-untyped]  # aiokafka carries no types
from tests.support.ports import free_port
from tests.unit.brokers.parcels import SCHEDULE, a_parcel, carried, is_retryable, kind_of

from rota.application.ports.deliveries import Delivered, Outcome
from rota.domain.delivery import QueueReceiver
from rota.infrastructure.brokers.carrier import BrokerCarrier

MAILS = QueueReceiver("mails", "stream")


@pytest.fixture
def servers() -> Iterator[str]:
    """`host:port` of a mock cluster that lives as long as the client which was asked for it."""
    confluent = pytest.importorskip(
        "confluent_kafka", reason="confluent-kafka, with its mock cluster, is not installed"
    )
    client = confluent.Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 1, "log_level": 0})
    [broker] = client.list_topics(timeout=10).brokers.values()
    yield f"{broker.host}:{broker.port}"


@pytest.fixture
def carrier(carrier_to: Callable[..., BrokerCarrier], servers: str) -> BrokerCarrier:
    return carrier_to(stream=f"kafka://{servers}")


@pytest.fixture
async def records(servers: str) -> AsyncIterator[Any]:
    """What arrives in `acme.mails`, read by a client of the test's own. Any: it carries no types."""
    consumer = AIOKafkaConsumer("acme.mails", bootstrap_servers=servers, auto_offset_reset="earliest")
    await consumer.start()
    yield consumer
    await consumer.stop()


async def test_a_parcel_is_a_record_of_the_tenants_topic(carrier: BrokerCarrier, records: Any) -> None:
    parcel = a_parcel(MAILS, payload='{ "to":"a@b" }', schedule_id=SCHEDULE, correlation_id="order-9")

    outcomes = await carried(carrier, [parcel])

    record = await records.getone()
    assert record.value == b'{ "to":"a@b" }'
    assert record.key == str(SCHEDULE).encode()
    assert dict(record.headers) == {
        "content-type": b"application/json",
        "correlation_id": b"order-9",
        "message_id": str(parcel.run_id).encode(),
        "Rota-Run-Id": str(parcel.run_id).encode(),
        "Rota-Attempt": b"1",
        "Rota-Scheduled-For": b"2026-03-02T12:00:00Z",
    }
    assert answer_of(outcomes[parcel.run_id]) == {
        "broker": "stream",
        "topic": "acme.mails",
        "partition": record.partition,
        "offset": record.offset,
    }


async def test_many_parcels_are_each_there_once(carrier: BrokerCarrier, records: Any) -> None:
    parcels = [a_parcel(MAILS) for _ in range(300)]

    outcomes = await carried(carrier, parcels)

    there = [dict((await records.getone()).headers)["message_id"].decode() for _ in parcels]
    assert {type(outcome) for outcome in outcomes.values()} == {Delivered}
    assert sorted(there) == sorted(str(parcel.run_id) for parcel in parcels)


async def test_a_server_that_is_away_is_told_at_once(carrier_to: Callable[..., BrokerCarrier]) -> None:
    parcel = a_parcel(MAILS, timeout=600)

    outcomes = await carried(carrier_to(stream=f"kafka://127.0.0.1:{free_port()}"), [parcel])

    assert kind_of(outcomes[parcel.run_id]) == "BrokerUnavailable"
    assert is_retryable(outcomes[parcel.run_id])


async def test_a_server_that_is_away_holds_up_no_other(carrier_to: Callable[..., BrokerCarrier], servers: str) -> None:
    carrier = carrier_to(away=f"kafka://127.0.0.1:{free_port()}", stream=f"kafka://{servers}")
    lost, fine = a_parcel(QueueReceiver("mails", "away")), a_parcel(MAILS)

    outcomes = await carried(carrier, [lost, fine])

    assert kind_of(outcomes[lost.run_id]) == "BrokerUnavailable"
    assert isinstance(outcomes[fine.run_id], Delivered)


async def test_a_server_that_accepts_and_says_nothing_costs_a_parcel_its_own_time(
    carrier_to: Callable[..., BrokerCarrier],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        carrier = carrier_to(stream=f"kafka://127.0.0.1:{silent.getsockname()[1]}")
        parcel = a_parcel(MAILS, timeout=0.2)

        outcomes = await carried(carrier, [parcel])
        silent.close()

    assert kind_of(outcomes[parcel.run_id]) == "BrokerUnavailable"


def answer_of(outcome: Outcome) -> Any:  # Any: JSON
    assert isinstance(outcome, Delivered), outcome
    return orjson.loads(outcome.answer or "")
