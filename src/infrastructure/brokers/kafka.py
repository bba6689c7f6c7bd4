"""Kafka: one topic per topic, confirmed by all replicas in sync.

A schedule's runs share a key, so that they stay in one partition, in order. Whether a missing topic is made is
the cluster's own setting.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

# aiokafka carries no types.
from aiokafka.client import AIOKafkaClient  # type: ignore[import-untyped]
from aiokafka.errors import (  # type: ignore[import-untyped]
    BrokerResponseError,
    KafkaError,
    MessageSizeTooLargeError,
)
from faststream.kafka import KafkaBroker

from rota.domain.errors import UnavailableError
from rota.infrastructure.brokers.letter import Letter
from rota.infrastructure.brokers.link import Place, RefusedError

REQUEST_TIMEOUT_MS: Final = 10_000
RETRY_BACKOFF_MS: Final = 500

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")


class KafkaLink:
    """The library finds the partitions' leaders again by itself for REQUEST_TIMEOUT_MS; then the link is lost."""

    is_lost = False

    def __init__(self, broker: KafkaBroker) -> None:
        self._broker = broker

    async def put(self, letter: Letter) -> Place:
        if not _NAME.fullmatch(letter.to):
            raise RefusedError("a topic's name has 1 to 249 ASCII letters, digits, . _ and -", retryable=False)
        try:
            stored = await self._broker.publish(
                letter.body,
                topic=letter.to,
                key=letter.order.encode(),
                correlation_id=letter.correlation_id,
                headers={"content-type": "application/json", "message_id": letter.id, **letter.headers},
                no_confirm=False,
            )
        except MessageSizeTooLargeError as error:
            raise RefusedError(str(error), retryable=False) from error
        except BrokerResponseError as error:
            raise RefusedError(str(error)) from error
        except (KafkaError, OSError) as error:
            raise UnavailableError(str(error)) from error
        return {"topic": letter.to, "partition": stored.partition, "offset": stored.offset}

    async def close(self) -> None:
        await self._broker.stop()


async def open_kafka(servers: Sequence[str]) -> KafkaLink:
    """Raises UnavailableError."""
    await _greet(servers)
    broker = kafka_broker(servers)
    try:
        await broker.connect()
    except (KafkaError, OSError) as error:
        await broker.stop()
        raise UnavailableError(str(error)) from error
    return KafkaLink(broker)


def kafka_broker(servers: Sequence[str]) -> KafkaBroker:
    return KafkaBroker(
        list(servers),
        acks="all",
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        retry_backoff_ms=RETRY_BACKOFF_MS,
        client_id="rota",
    )


async def _greet(servers: Sequence[str]) -> None:
    """Whether anybody answers: a broker of FastStream 0.7.8 whose first connection fails leaves its producer open."""
    client = AIOKafkaClient(bootstrap_servers=list(servers), request_timeout_ms=REQUEST_TIMEOUT_MS)
    try:
        await client.bootstrap()
    except (KafkaError, OSError) as error:
        raise UnavailableError(str(error)) from error
    finally:
        await client.close()
