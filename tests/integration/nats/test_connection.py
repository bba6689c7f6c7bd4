from __future__ import annotations

import asyncio
from contextlib import suppress

import orjson
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from rota.domain.errors import UnavailableError
from rota.infrastructure.nats.api import JetStreamApi
from rota.infrastructure.nats.connection import WRITE_LIMIT, Connection, connect

from .conftest import NatsServer, eventually, reconnected


async def test_a_server_that_starts_late_is_waited_for(server: NatsServer) -> None:
    server.kill()
    connecting = asyncio.create_task(connect(server.url, name="early", deadline=20))

    server.start()
    nc = await connecting

    assert nc.is_connected
    await nc.close()


async def test_no_server_by_the_deadline_is_an_error_that_keeps_the_password(server: NatsServer) -> None:
    server.kill()
    url = server.url.replace("nats://", "nats://rota:secret@")

    with pytest.raises(UnavailableError, match=r"no NATS server answers at 127\.0\.0\.1") as raised:
        await connect(url, name="alone", deadline=0.5)

    assert "secret" not in str(raised.value)


async def test_an_old_server_is_refused() -> None:
    old = await asyncio.start_server(_talk_like_2_9, "127.0.0.1", 0)
    port = old.sockets[0].getsockname()[1]

    with pytest.raises(UnavailableError, match=r"2\.9 is too old"):
        await connect(f"nats://127.0.0.1:{port}", name="modern", deadline=5)

    old.close()


async def test_the_link_comes_back_after_the_server_was_killed(server: NatsServer, nc: Connection) -> None:
    losses_seen: list[int] = []
    nc.on_loss(lambda: losses_seen.append(nc.losses))

    server.kill()
    server.start()
    await reconnected(nc, losses=0)

    assert losses_seen[0] == 1
    await nc.flush()


async def test_a_cancellation_that_comes_together_with_an_answer_is_no_less_one(
    nc: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `asyncio.wait_for` of Python 3.11 does it; who goes on after that cannot be stopped any more."""

    async def answer_even_so(_client: Client, subject: str) -> Msg:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return Msg(nc, subject)

    monkeypatch.setattr(Client, "request", answer_even_so)
    asking = asyncio.create_task(nc.request("anything"))
    await asyncio.sleep(0)

    asking.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_who_was_cancelled_before_may_still_ask_on_the_way_out(nc: Connection) -> None:
    async def leaving() -> int:
        try:
            await asyncio.Event().wait()
        finally:
            await JetStreamApi(nc).ask("INFO")
            told.set()
        return 0

    told = asyncio.Event()
    task = asyncio.create_task(leaving())
    await asyncio.sleep(0)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert told.is_set()


async def test_a_frozen_server_is_noticed_even_with_bytes_on_their_way_to_it(
    server: NatsServer, nc: Connection
) -> None:
    async def is_noticed() -> bool:
        return nc.losses > 0

    server.freeze()
    while nc.write(b"PUB much 60000\r\n" + bytes(60_000) + b"\r\n"):
        await asyncio.sleep(0)
    await eventually(is_noticed, deadline=10)
    server.thaw()

    await reconnected(nc, losses=0)


async def test_closing_on_purpose_is_no_giving_up(server: NatsServer) -> None:
    gave_up: list[str] = []
    nc = await connect(server.url, name="leaver", on_closed=lambda: gave_up.append("gave up"))

    await nc.close()

    assert gave_up == []


async def test_a_client_that_gives_up_says_so(server: NatsServer) -> None:
    gave_up = asyncio.Event()
    nc = await connect(server.url, name="refused", on_closed=gave_up.set)

    nc.write(b"NONSENSE\r\n")

    await asyncio.wait_for(gave_up.wait(), 10)


async def test_while_the_link_is_down_only_so_much_is_kept(server: NatsServer, nc: Connection) -> None:
    async def is_down() -> bool:
        return not nc.is_connected

    server.kill()
    await eventually(is_down)

    taken = sum(nc.write(bytes(64 * 1024)) for _ in range(200))

    assert taken * 64 * 1024 <= WRITE_LIMIT


async def test_a_sink_that_raises_does_not_end_the_connection(nc: Connection) -> None:
    heard = asyncio.Event()

    def sink(_subject: bytes, _reply: bytes, body: bytes, _header: bytes) -> None:
        if body == b"bad":
            raise ValueError(body)
        heard.set()

    await nc.listen("talk", sink)
    await nc.publish("talk", b"bad")
    await nc.publish("talk", b"good")

    await asyncio.wait_for(heard.wait(), 5)
    assert nc.losses == 0


async def _talk_like_2_9(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    info = {"server_id": "OLD", "version": "2.9.10", "headers": True, "max_payload": 1048576}
    writer.write(b"INFO " + orjson.dumps(info) + b"\r\n")
    while line := await reader.readline():
        if line.startswith(b"PING"):
            writer.write(b"PONG\r\n")
    writer.close()
