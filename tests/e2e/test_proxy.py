"""What the proxy promises, tried with plain sockets: an echo server on one side, a client on the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeAlias

import pytest
from tests.e2e.proxy import HOST, Link, Proxy, Stream, Then, Way, Weather

Eventually: TypeAlias = Callable[[Callable[[], object]], Awaitable[None]]
SOON = 0.1
"""Long enough for anything that is let through here; a silence is judged after this long."""


@dataclass
class Echo:
    """Answers every line with itself; remembers what it heard and how its connections ended."""

    port: int = 0
    began: int = 0
    heard: list[bytes] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        end = "closed"
        self.began += 1
        try:
            while line := await reader.readline():
                self.heard.append(line)
                writer.write(line)
                await writer.drain()
        except OSError:
            end = "reset"
        writer.transport.abort() if end == "reset" else writer.close()
        self.ended.append(end)


@dataclass
class Pair:
    """A client's connections to the echo, through one link."""

    proxy: Proxy
    link: Link
    echo: Echo
    _clients: list[Stream] = field(default_factory=list)

    async def connect(self) -> Stream:
        self._clients.append(await asyncio.open_connection(HOST, self.proxy.port))
        return self._clients[-1]

    def hang_up(self) -> None:
        for _, writer in self._clients:
            writer.transport.abort()


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    async with _echoing() as echo:
        link = Link("client-echo")
        proxy = Proxy(0, lambda: echo.port, lambda _: link)
        await proxy.open()
        pair = Pair(proxy, link, echo)
        yield pair
        pair.hang_up()
        await proxy.close()


@asynccontextmanager
async def _echoing() -> AsyncIterator[Echo]:
    echo = Echo()
    server = await asyncio.start_server(echo.serve, HOST, 0)
    echo.port = server.sockets[0].getsockname()[1]
    yield echo
    server.close()
    while len(echo.ended) < echo.began:
        await asyncio.sleep(0.001)
    await asyncio.sleep(0)


async def _ask(client: Stream, line: bytes = b"ping\n") -> bytes:
    client[1].write(line)
    return await asyncio.wait_for(client[0].readline(), 5)


async def _is_silent(client: Stream) -> bool:
    with suppress(TimeoutError):
        await asyncio.wait_for(client[0].read(1), SOON)
        return False
    return True


async def _seconds(work: Awaitable[object]) -> float:
    clock = asyncio.get_running_loop().time
    began = clock()
    await work
    return clock() - began


async def test_what_is_sent_arrives_and_so_does_the_answer(pair: Pair) -> None:
    client = await pair.connect()

    assert await _ask(client, b"one\n") == b"one\n"
    assert await _ask(client, b"two\n") == b"two\n"


async def test_much_passes_whole_and_in_order(pair: Pair) -> None:
    client = await pair.connect()
    lines = [b"%d %s\n" % (number, b"x" * 5_000) for number in range(400)]

    client[1].write(b"".join(lines))

    assert [await asyncio.wait_for(client[0].readline(), 5) for _ in lines] == lines


async def test_the_end_of_one_side_is_told_to_the_other(pair: Pair, eventually: Eventually) -> None:
    client = await pair.connect()
    await _ask(client)

    client[1].close()

    await eventually(lambda: pair.echo.ended == ["closed"])
    await eventually(lambda: pair.link.open_connections == 0)


async def test_a_delay_is_a_distance_not_a_brake(pair: Pair) -> None:
    client = await pair.connect()
    await _ask(client)
    pair.link.change(Weather(delay=0.2), Way.DOWN)

    async def ask_often() -> None:
        for number in range(20):
            client[1].write(b"%d\n" % number)
            await asyncio.sleep(0.005)
        for _ in range(20):
            await client[0].readline()

    assert await _seconds(_ask(client)) >= 0.2
    assert await _seconds(ask_often()) < 20 * 0.2


async def test_jitter_never_changes_the_order(pair: Pair) -> None:
    client = await pair.connect()
    await _ask(client)
    pair.link.change(Weather(jitter=0.02))

    for number in range(20):
        client[1].write(b"%d\n" % number)
        await client[1].drain()

    assert [await client[0].readline() for _ in range(20)] == [b"%d\n" % number for number in range(20)]


async def test_a_throttled_link_takes_its_time(pair: Pair) -> None:
    client = await pair.connect()
    await _ask(client)
    pair.link.change(Weather(rate=100_000), Way.UP)

    async def send_much() -> None:
        client[1].write(b"x" * 20_000 + b"\n")
        await client[0].readline()
        await _ask(client)

    assert await _seconds(send_much()) >= 0.2


async def test_a_mute_link_answers_nothing_and_closes_nothing(pair: Pair) -> None:
    client = await pair.connect()
    await _ask(client)
    pair.link.mute()

    client[1].write(b"lost?\n")

    assert await _is_silent(client)
    assert b"lost?\n" not in pair.echo.heard
    assert pair.echo.ended == []


async def test_what_was_held_back_arrives_when_the_link_is_clear_again(pair: Pair) -> None:
    client = await pair.connect()
    await _ask(client)
    pair.link.mute()
    client[1].write(b"late\n")
    assert await _is_silent(client)

    pair.link.clear()

    assert await asyncio.wait_for(client[0].readline(), 5) == b"late\n"


async def test_a_link_may_be_mute_in_one_direction_only(pair: Pair, eventually: Eventually) -> None:
    client = await pair.connect()
    await _ask(client)
    pair.link.mute(Way.DOWN)

    client[1].write(b"done\n")

    await eventually(lambda: b"done\n" in pair.echo.heard)
    assert await _is_silent(client)


async def test_a_mute_link_takes_new_connections_and_tells_no_end(pair: Pair, eventually: Eventually) -> None:
    pair.link.mute()
    client = await pair.connect()
    client[1].write(b"hello?\n")
    assert await _is_silent(client)

    client[1].close()
    assert await _is_silent(await pair.connect())
    assert pair.echo.ended == []
    pair.link.clear()

    await eventually(lambda: pair.echo.ended == ["closed"])
    assert pair.echo.heard == [b"hello?\n"]


async def test_a_mute_link_holds_back_a_bounded_amount(pair: Pair) -> None:
    client = await pair.connect()
    await _ask(client)
    pair.link.mute()

    client[1].write(b"x" * 100_000_000)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client[1].drain(), 1)


async def test_a_cut_link_resets_both_sides_and_every_new_connection(pair: Pair, eventually: Eventually) -> None:
    client = await pair.connect()
    await _ask(client)

    pair.link.cut()

    with pytest.raises(ConnectionResetError):
        await client[0].readline()
    await eventually(lambda: pair.echo.ended == ["reset"])
    with suppress(ConnectionResetError):
        assert await (await pair.connect())[0].read() == b""


async def test_a_link_that_was_cut_and_cleared_takes_connections_again(pair: Pair) -> None:
    pair.link.cut()
    pair.link.clear()

    assert await _ask(await pair.connect()) == b"ping\n"


async def test_a_reset_reaches_a_mute_connection_too(pair: Pair, eventually: Eventually) -> None:
    client = await pair.connect()
    await _ask(client)
    pair.link.mute()

    pair.link.reset()

    with pytest.raises(ConnectionResetError):
        await client[0].readline()
    await eventually(lambda: pair.echo.ended == ["reset"])


async def test_a_flapping_link_comes_and_goes_and_stays_in_the_end(pair: Pair) -> None:
    flapping = asyncio.create_task(pair.link.flap(0.02, 0.2))
    seen = set()
    while not flapping.done():
        seen.add(pair.link.is_cut)
        await asyncio.sleep(0.005)
    await flapping

    assert seen == {True, False}
    assert await _ask(await pair.connect()) == b"ping\n"


async def test_a_shut_proxy_refuses_at_once_and_opens_again(pair: Pair) -> None:
    client = await pair.connect()
    await _ask(client)

    pair.proxy.shut()

    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(HOST, pair.proxy.port)
    assert await _ask(client) == b"ping\n"
    await pair.proxy.open()
    assert await _ask(await pair.connect()) == b"ping\n"


async def test_a_client_of_a_server_that_is_gone_is_reset(pair: Pair) -> None:
    pair.echo.port = 1

    client = await pair.connect()

    with pytest.raises(ConnectionResetError):
        await client[0].readline()


async def test_a_betrayed_question_is_heard_and_its_answer_is_not(pair: Pair) -> None:
    client = await pair.connect()
    betrayal = pair.link.betray(b"COMMIT", b"COMMIT")
    assert await _ask(client, b"BEGIN\n") == b"BEGIN\n"

    with pytest.raises(ConnectionResetError):
        await _ask(client, b"COMMIT\n")

    assert betrayal.sprung.is_set()
    assert pair.echo.heard == [b"BEGIN\n", b"COMMIT\n"]


async def test_a_question_is_betrayed_once(pair: Pair) -> None:
    pair.link.betray(b"COMMIT")
    with pytest.raises(ConnectionResetError):
        await _ask(await pair.connect(), b"COMMIT\n")

    assert await _ask(await pair.connect(), b"COMMIT\n") == b"COMMIT\n"


async def test_only_the_answer_is_kept_back(pair: Pair) -> None:
    client = await pair.connect()
    pair.link.betray(b"PUB", b"stored")

    assert await _ask(client, b"PUB\n") == b"PUB\n"
    with pytest.raises(ConnectionResetError):
        await _ask(client, b"stored\n")


async def test_a_betrayed_connection_may_fall_silent_instead(pair: Pair, eventually: Eventually) -> None:
    client = await pair.connect()
    pair.link.betray(b"SELECT", then=Then.SILENCE)

    client[1].write(b"SELECT\nagain\n")

    await eventually(lambda: pair.echo.heard == [b"SELECT\n", b"again\n"])
    assert await _is_silent(client)
    assert await _ask(await pair.connect()) == b"ping\n"


async def test_all_but_the_marked_connections_fall_silent(pair: Pair) -> None:
    pair.link.mark(b"lease")
    leasing, ticking = await pair.connect(), await pair.connect()
    await _ask(leasing, b"lease\n")
    await _ask(ticking, b"tick\n")

    assert pair.link.silence(unless=b"lease") == 1

    assert await _ask(leasing) == b"ping\n"
    ticking[1].write(b"tick\n")
    assert await _is_silent(ticking)


async def test_each_client_has_the_link_that_its_port_says() -> None:
    async with _echoing() as echo:
        links = [Link("first"), Link("second")]
        chosen: dict[int, Link] = {}
        proxy = Proxy(0, lambda: echo.port, lambda port: chosen.setdefault(port, links[len(chosen)]))
        await proxy.open()
        pair = Pair(proxy, links[0], echo)
        first, second = await pair.connect(), await pair.connect()
        await _ask(first)
        await _ask(second)

        links[0].cut()

        with pytest.raises(ConnectionResetError):
            await first[0].readline()
        assert await _ask(second) == b"ping\n"
        pair.hang_up()
        await proxy.close()
