"""What a Kafka link sends, on FastStream's own test broker: in memory, no server, no protocol.

It proves what is handed over, not that it is stored; `tests/integration/brokers/test_kafka.py` speaks the protocol.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiokafka.errors import (  # type: ignore[import-untyped]  # aiokafka carries no types
    KafkaConnectionError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
)
from faststream import BaseMiddleware
from faststream.kafka import ConsumerRecord, KafkaBroker, KafkaMessage, RecordMetadata, TestKafkaBroker, TopicPartition
from tests.unit.brokers.parcels import SCHEDULE, a_parcel

from rota.domain.errors import UnavailableError
from rota.infrastructure.brokers.kafka import KafkaLink, kafka_broker
from rota.infrastructure.brokers.letter import letter_of
from rota.infrastructure.brokers.link import RefusedError


class Answering(BaseMiddleware):
    """The test broker answers nothing; a server answers with the place, or with an error."""

    fault: Exception | None = None

    async def publish_scope(self, call_next: Callable[[Any], Awaitable[Any]], cmd: Any) -> Any:
        """Any: as the method it replaces has it."""
        if self.fault is not None:
            raise self.fault
        await call_next(cmd)
        return RecordMetadata(cmd.destination, 2, TopicPartition(cmd.destination, 2), 7, 0, 0, 0)


@pytest.fixture
async def received() -> list[KafkaMessage]:
    return []


@pytest.fixture
async def broker(received: list[KafkaMessage]) -> AsyncIterator[KafkaBroker]:
    broker = kafka_broker(["there:9092"])

    @broker.subscriber("acme.mails")
    async def keep(_body: Any, message: KafkaMessage) -> None:  # Any: JSON
        received.append(message)

    async with TestKafkaBroker(broker):
        yield broker


async def test_a_letter_is_sent_to_the_tenants_topic_with_its_run_in_headers(
    broker: KafkaBroker, received: list[KafkaMessage]
) -> None:
    broker.add_middleware(Answering)
    parcel = a_parcel(payload='{ "to":"a@b" }', schedule_id=SCHEDULE, attempt=2, correlation_id="order-9")

    place = await KafkaLink(broker).put(letter_of(parcel, "mails"))

    [message] = received
    assert message.body == b'{ "to":"a@b" }'
    assert message.correlation_id == "order-9"
    assert message.headers == {
        "content-type": "application/json",
        "correlation_id": "order-9",
        "message_id": str(parcel.run_id),
        "Rota-Run-Id": str(parcel.run_id),
        "Rota-Attempt": "2",
        "Rota-Scheduled-For": "2026-03-02T12:00:00Z",
    }
    assert isinstance(message.raw_message, ConsumerRecord)
    assert message.raw_message.key == str(SCHEDULE).encode()
    assert place == {"topic": "acme.mails", "partition": 2, "offset": 7}


@pytest.mark.parametrize("topic", ["mäils", "m" * 250, "a/b"])
async def test_a_name_that_kafka_does_not_allow_is_refused_for_good(broker: KafkaBroker, topic: str) -> None:
    with pytest.raises(RefusedError) as refusal:
        await KafkaLink(broker).put(letter_of(a_parcel(), topic))

    assert not refusal.value.retryable


@pytest.mark.parametrize(
    ("fault", "expected", "retryable"),
    [
        (MessageSizeTooLargeError(), RefusedError, False),
        (TopicAuthorizationFailedError(), RefusedError, True),
        (KafkaConnectionError(), UnavailableError, None),
        (OSError(), UnavailableError, None),
    ],
)
async def test_an_error_about_the_letter_is_a_refusal_and_any_other_a_lost_link(
    broker: KafkaBroker, fault: Exception, expected: type[Exception], retryable: bool | None
) -> None:
    class Failing(Answering):
        pass

    Failing.fault = fault
    broker.add_middleware(Failing)

    with pytest.raises(expected) as told:
        await KafkaLink(broker).put(letter_of(a_parcel(), "mails"))

    assert getattr(told.value, "retryable", None) is retryable


def test_a_letter_counts_as_stored_when_all_replicas_in_sync_have_it() -> None:
    assert kafka_broker(["there:9092"])._connection_kwargs["acks"] == "all"
