"""Heartbeats are answered on the bus by FastStream's broker; leaving must work whatever the bus does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest
from faststream.nats import NatsBroker

from rota.application.ports.bus import Control
from rota.application.take_heartbeats import Heartbeat
from rota.entrypoints.bus.app import make_broker, stop_broker

from .conftest import NatsServer, eventually


async def no_orders(_beat: Heartbeat) -> Sequence[Control]:
    return []


@pytest.fixture
async def broker(server: NatsServer) -> AsyncIterator[NatsBroker]:
    broker = make_broker(server.url, no_orders)
    await broker.start()
    yield broker
    await stop_broker(broker)


async def test_leaving_works_while_the_bus_is_there(broker: NatsBroker) -> None:
    await stop_broker(broker)

    assert not await broker.ping(0.1)


async def test_leaving_works_while_the_bus_is_away(server: NatsServer, broker: NatsBroker) -> None:
    server.kill()
    await eventually(lambda: is_lost(broker))

    await stop_broker(broker)


async def test_leaving_works_while_the_bus_says_nothing(server: NatsServer, broker: NatsBroker) -> None:
    server.freeze()

    await stop_broker(broker)

    server.thaw()


async def is_lost(broker: NatsBroker) -> bool:
    return not await broker.ping(0.1)
