"""Receivers on this machine: one that speaks HTTP as it should, and ones that do whatever a test wants on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeAlias

import pytest
from aiohttp import web
from multidict import CIMultiDictProxy
from tests.unit.webhooks.parcels import OLD_SECRET, SECRET

from rota.application.ports.clock import Clock
from rota.application.ports.deliveries import Delivered, Outcome, Parcel, Undelivered
from rota.infrastructure.webhooks.carrier import HttpCarrier

Behaviour: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class WallClock(Clock):
    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Received:
    method: str
    path: str
    headers: CIMultiDictProxy[str]
    body: bytes


@dataclass(slots=True)
class Receiver:
    """Answers 200 and `ok` unless told otherwise, and keeps what it was sent."""

    port: int = 0
    received: list[Received] = field(default_factory=list)
    connections: set[object] = field(default_factory=set)
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def says(self, status: int, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}

        async def answer(_: web.Request) -> web.StreamResponse:
            return web.Response(status=status, text="as told", headers=named)

        self.answer = answer

    async def handle(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        self.connections.add(request.transport.get_extra_info("peername"))
        self.received.append(Received(request.method, request.raw_path, request.headers, await request.read()))
        return await self.answer(request) if self.answer else web.Response(text="ok")


@dataclass(slots=True)
class RawReceiver:
    """`connections` counts those that were made."""

    port: int = 0
    connections: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", made.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.port = runner.addresses[0][1]
    yield made
    await runner.cleanup()


Raw: TypeAlias = Callable[[Behaviour], Awaitable[RawReceiver]]


@pytest.fixture
async def raw() -> AsyncIterator[Raw]:
    """Opens a receiver that does with each connection what it is told. All end with the test."""
    async with AsyncExitStack() as closing:

        async def serve(behaviour: Behaviour) -> RawReceiver:
            made = RawReceiver()
            tasks: set[asyncio.Task[None]] = set()

            async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                made.connections += 1
                try:
                    await behaviour(reader, writer)
                except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                    pass
                finally:
                    writer.close()

            def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                task = asyncio.get_running_loop().create_task(connected(reader, writer))
                tasks.add(task)
                task.add_done_callback(tasks.discard)

            async def stop() -> None:
                server.close()
                for task in list(tasks):
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await server.wait_closed()

            server = await asyncio.start_server(accept, "127.0.0.1", 0)
            made.port = server.sockets[0].getsockname()[1]
            closing.push_async_callback(stop)
            return made

        yield serve


@pytest.fixture
async def carrier() -> AsyncIterator[HttpCarrier]:
    """One that may deliver to this machine, in the middle of a rotation of its secrets."""
    async with HttpCarrier(WallClock(), secrets=(SECRET, OLD_SECRET), allow_private=True, body_grace=0.1) as made:
        yield made


async def carry(carrier: HttpCarrier, *parcels: Parcel) -> list[Outcome]:
    """The outcomes in the order of the parcels."""
    told: dict[Parcel, Outcome] = {}
    await asyncio.wait_for(carrier.carry(parcels, told.__setitem__), 30)
    return [told[parcel] for parcel in parcels]


async def delivered(carrier: HttpCarrier, parcel: Parcel) -> Delivered:
    [outcome] = await carry(carrier, parcel)
    assert isinstance(outcome, Delivered), outcome
    return outcome


async def undelivered(carrier: HttpCarrier, parcel: Parcel) -> Undelivered:
    [outcome] = await carry(carrier, parcel)
    assert isinstance(outcome, Undelivered), outcome
    return outcome


async def request_read(reader: asyncio.StreamReader) -> bytes:
    """One whole request; raises IncompleteReadError when there is no further one."""
    head = await reader.readuntil(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    length = int(lengths[0].split(b":")[1]) if lengths else 0
    return head + await reader.readexactly(length)
