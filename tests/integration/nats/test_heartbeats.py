"""Heartbeats are answered on the bus by FastStream's broker; leaving must work whatever the bus does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from faststream.nats import NatsBroker

from rota.application.ports.bus import Control
from rota.application.take_heartbeats import Heartbeat
from rota.entrypoints.bus.app import make_broker, start_broker, stop_broker

from .conftest import NatsServer, eventually


async def no_orders(_beat: Heartbeat) -> Sequence[Control]:
    return []


@pytest.fixture
async def broker(server: NatsServer) -> AsyncIterator[NatsBroker]:
    broker = make_broker(server.url, no_orders)
    await start_broker(broker)
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


async def test_who_is_cancelled_while_it_begins_is_cancelled(
    broker: NatsBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    begins = asyncio.Event()

    async def swallows() -> None:
        begins.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return

    monkeypatch.setattr(broker, "start", swallows)
    starting = asyncio.create_task(start_broker(broker))
    await begins.wait()

    starting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await starting


async def is_lost(broker: NatsBroker) -> bool:
    return not await broker.ping(0.1)
