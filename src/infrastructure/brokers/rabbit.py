"""RabbitMQ: a durable queue per topic, persistent messages, publisher confirms.

A letter goes through the default exchange to the queue of its name, `mandatory`: with no such queue the server
gives it back, and only then is a durable classic queue declared and the letter sent again. So a queue that the
operator made first, of whatever type and with whatever limits, is used as it is, and one that was deleted
comes back. Queues are declared on a channel of their own: a refusal closes the channel it came on.

RabbitMQ writes a confirmed message down before it confirms, but a queue's definition some time after: killed
within that time, 3.10 came back without the queue and its confirmed messages. Whoever cannot have that
declares the queue beforehand.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from aio_pika import RobustConnection
from aio_pika.exceptions import CONNECTION_EXCEPTIONS, AMQPChannelError, DeliveryError, PublishError
from faststream.rabbit import Channel, RabbitBroker

from rota.domain.errors import UnavailableError
from rota.infrastructure.brokers.letter import Letter
from rota.infrastructure.brokers.link import Place, RefusedError

HEARTBEAT_SEC: Final = 5
CONNECT_TIMEOUT: Final = 5.0
LONGEST_NAME: Final = 255
"""Bytes, by the protocol."""

_NO_OWN_RECONNECT: Final = 3600.0
"""Seconds until the library itself tries again: a lost link is closed and opened anew by the line."""


class RabbitLink:
    def __init__(self, broker: RabbitBroker, connection: RobustConnection) -> None:
        self._broker = broker
        self._connection = connection
        self._under_way: set[str] = set()
        self._declaring = asyncio.Lock()
        self._is_lost = False
        connection.close_callbacks.add(self._lose)

    @property
    def is_lost(self) -> bool:
        return self._is_lost

    async def put(self, letter: Letter) -> Place:
        if len(letter.to.encode()) > LONGEST_NAME:
            raise RefusedError(f"a queue's name has at most {LONGEST_NAME} bytes", retryable=False)
        with self._alone(letter.id):
            try:
                await self._publish(letter)
            except PublishError:
                await self._declare(letter.to)
                await self._publish_again(letter)
        return {"queue": letter.to}

    async def close(self) -> None:
        await self._broker.stop()

    async def _publish_again(self, letter: Letter) -> None:
        try:
            await self._publish(letter)
        except PublishError as error:
            raise RefusedError("the server gave it back: the queue is gone again") from error

    async def _publish(self, letter: Letter) -> None:
        """Raises PublishError if there is no such queue."""
        try:
            await self._broker.publish(
                letter.body,
                queue=letter.to,
                mandatory=True,
                persist=True,
                message_id=letter.id,
                correlation_id=letter.correlation_id,
                content_type="application/json",
                headers={**letter.headers},
            )
        except PublishError:
            raise
        except DeliveryError as error:
            raise RefusedError("the server did not take it") from error
        except CONNECTION_EXCEPTIONS as error:
            raise UnavailableError(str(error)) from error

    async def _declare(self, name: str) -> None:
        try:
            async with self._declaring, self._connection.channel(publisher_confirms=False) as channel:
                await channel.declare_queue(name, durable=True, robust=False)
        except AMQPChannelError as error:
            raise RefusedError(f"the queue cannot be declared: {error}") from error
        except CONNECTION_EXCEPTIONS as error:
            raise UnavailableError(str(error)) from error

    @contextmanager
    def _alone(self, message_id: str) -> Iterator[None]:
        """Of two messages with one id given back together, aiormq would take one for confirmed (seen in 7.2.4)."""
        if message_id in self._under_way:
            raise RefusedError("an earlier attempt of the run is still on its way")
        self._under_way.add(message_id)
        try:
            yield
        finally:
            self._under_way.discard(message_id)

    def _lose(self, *_: object) -> None:
        self._is_lost = True


async def open_rabbit(url: str, *, heartbeat_sec: int = HEARTBEAT_SEC) -> RabbitLink:
    """Raises UnavailableError; a user refused counts as that too.

    A server that falls silent is given up after three heartbeats and three seconds.
    """
    broker = RabbitBroker(
        url,
        timeout=CONNECT_TIMEOUT,
        fail_fast=True,
        reconnect_interval=_NO_OWN_RECONNECT,
        client_properties={"heartbeat": heartbeat_sec},
        default_channel=Channel(publisher_confirms=True, on_return_raises=True),
        app_id="rota",
    )
    try:
        return RabbitLink(broker, await broker.connect())
    except CONNECTION_EXCEPTIONS as error:
        await broker.stop()
        raise UnavailableError(str(error)) from error
