"""A TCP proxy of the tests' own: what passes a link is delayed, thinned, held back or cut, each direction by itself.

    client --up--> proxy --up--> server
    client <-down- proxy <-down- server

A `Proxy` is one listener. Each connection that it accepts belongs to a `Link`, and links are what tests command, at any
time: connections that are open feel it at once, new ones from their first byte.

A link loses nothing out of the middle of a connection, as TCP does not: what a mute direction holds back arrives when
it is mute no more, unless the connection is reset first.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Final, TypeAlias

HOST: Final = "127.0.0.1"
CHUNK: Final = 64 * 1024
SETTLE: Final = 0.01
HELD_AT_MOST: Final = 64
"""Chunks that a direction takes without passing them on; then its sender feels it, as behind a full TCP window."""
_AT_ONCE: Final = struct.pack("ii", 1, 0)
"""SO_LINGER: close by a reset, and drop what was not sent."""

Stream: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Way(Enum):
    UP = auto()
    """From the client to the server."""
    DOWN = auto()


BOTH: Final = (Way.UP, Way.DOWN)


@dataclass(frozen=True, slots=True)
class Weather:
    """What one direction does to what passes: `delay` and `jitter` in seconds, `rate` in bytes a second.

    A mute one takes everything, the end of a connection too, and passes nothing on.
    """

    delay: float = 0.0
    jitter: float = 0.0
    rate: float | None = None
    mute: bool = False


CLEAR: Final = Weather()


class Then(Enum):
    """What follows a betrayed question."""

    RESET = auto()
    SILENCE = auto()
    """The connection stays, and its client never hears from it again."""


@dataclass(slots=True, eq=False)
class Betrayal:
    """A question that reaches the server, and whose answer does not come back.

    The first chunk upstream that contains `question` picks the connection; on it the first chunk downstream that
    contains `answer` is dropped, and `then` happens: the deed is done, and its doer cannot know. A pattern that lies
    across two chunks is not seen.
    """

    question: bytes
    answer: bytes = b""
    then: Then = Then.RESET
    sprung: asyncio.Event = field(default_factory=asyncio.Event)


class _Direction:
    """The weather of one direction, and a gate that is closed while it is mute."""

    def __init__(self) -> None:
        self.weather = CLEAR
        self.gate = asyncio.Event()
        self.gate.set()

    def change(self, weather: Weather) -> None:
        self.weather = weather
        if weather.mute:
            self.gate.clear()
        else:
            self.gate.set()


class Link:
    """The connections between one client and one server, and what happens to them."""

    def __init__(self, name: str, chance: random.Random | None = None) -> None:
        self.name = name
        self.is_cut = False
        self.taken = 0
        """Connections accepted so far, those refused because the link was cut included."""
        self._chance = chance or random.Random(name)
        self._directions = {way: _Direction() for way in BOTH}
        self._open: set[_Connection] = set()
        self._betrayals: list[Betrayal] = []
        self._marks: list[bytes] = []

    @property
    def open_connections(self) -> int:
        return len(self._open)

    def change(self, weather: Weather, *ways: Way) -> None:
        """From now on; both ways if none is named."""
        for way in ways or BOTH:
            self._directions[way].change(weather)

    def mute(self, *ways: Way) -> None:
        """Half open: both sides believe in the connection, and no byte arrives. Both ways if none is named."""
        for way in ways or BOTH:
            self._directions[way].change(replace(self._directions[way].weather, mute=True))

    def cut(self) -> None:
        """Resets every connection, and every new one as soon as it comes."""
        self.is_cut = True
        self.reset()

    def clear(self) -> None:
        """Everything passes again; what was held back arrives."""
        self.is_cut = False
        self._betrayals.clear()
        self.change(CLEAR)

    def reset(self) -> None:
        """Both sides of every connection are told that it is broken; new ones may come."""
        for connection in list(self._open):
            connection.reset()

    async def flap(self, period: float, lasts: float) -> None:
        """Cut and clear in turns of `period` seconds."""
        until = asyncio.get_running_loop().time() + lasts
        try:
            while asyncio.get_running_loop().time() < until:
                self.cut()
                await asyncio.sleep(period)
                self.is_cut = False
                await asyncio.sleep(period)
        finally:
            self.is_cut = False

    def betray(self, question: bytes, answer: bytes = b"", then: Then = Then.RESET) -> Betrayal:
        """Once; until `clear`."""
        betrayal = Betrayal(question, answer, then)
        self._betrayals.append(betrayal)
        return betrayal

    def mark(self, pattern: bytes) -> None:
        """Connections over which `pattern` goes up from now on can be told apart by `silence`."""
        self._marks.append(pattern)

    def silence(self, *, unless: bytes) -> int:
        """The clients of the connections that are open never hear from them again, those marked `unless` excepted.

        Answers how many connections that are. New ones are as good as ever.
        """
        chosen = [connection for connection in self._open if unless not in connection.marks]
        for connection in chosen:
            connection.is_silent = True
        return len(chosen)

    async def carry(self, client: Stream, connect: Callable[[], Awaitable[Stream]]) -> None:
        """One connection, until both of its sides have ended."""
        self.taken += 1
        if self.is_cut:
            _break(client[1])
            return
        try:
            server = await connect()
        except OSError:
            _break(client[1])
            return
        with self._among(_Connection(self, client, server)) as connection:
            if not self.is_cut:  # it may have been meanwhile
                await connection.run()

    @contextmanager
    def _among(self, connection: _Connection) -> Iterator[_Connection]:
        self._open.add(connection)
        try:
            yield connection
        finally:
            self._open.discard(connection)
            connection.reset()

    # What connections ask

    def gate(self, way: Way) -> asyncio.Event:
        return self._directions[way].gate

    def delay(self, way: Way) -> float:
        weather = self._directions[way].weather
        return weather.delay + self._chance.uniform(0.0, weather.jitter)

    def toll(self, way: Way, size: int) -> float:
        """Seconds that so many bytes take."""
        rate = self._directions[way].weather.rate
        return size / rate if rate else 0.0

    def marks_in(self, chunk: bytes) -> Iterator[bytes]:
        return (mark for mark in self._marks if mark in chunk)

    def betrayal_of(self, chunk: bytes) -> Betrayal | None:
        found = next((each for each in self._betrayals if each.question in chunk), None)
        if found is not None:
            self._betrayals.remove(found)
        return found


class _End(Enum):
    CLOSED = auto()
    BROKEN = auto()


_Held: TypeAlias = "asyncio.Queue[tuple[float, bytes | _End]]"


class _Connection:
    """Two sockets, and per direction one task that takes and one that gives."""

    def __init__(self, link: Link, client: Stream, server: Stream) -> None:
        self.marks: set[bytes] = set()
        self.is_silent = False
        self._link = link
        self._ways = {Way.UP: (client[0], server[1]), Way.DOWN: (server[0], client[1])}
        self._betrayed: Betrayal | None = None
        self._pumping: asyncio.Future[None] | None = None

    async def run(self) -> None:
        """Until both directions have come to their end, or it is reset."""
        self._pumping = asyncio.ensure_future(self._pump())
        try:
            await asyncio.wait([self._pumping])
            if not self._pumping.cancelled():
                self._pumping.result()
                await self._close()
        finally:
            self._pumping.cancel()
            await asyncio.gather(self._pumping, return_exceptions=True)

    def reset(self) -> None:
        if self._pumping is not None:
            self._pumping.cancel()
        for _, writer in self._ways.values():
            _break(writer)

    async def _pump(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for way, (reader, writer) in self._ways.items():
                held: _Held = asyncio.Queue(HELD_AT_MOST)
                tasks.create_task(self._take(way, reader, held))
                tasks.create_task(self._give(way, held, writer))

    async def _close(self) -> None:
        for _, writer in self._ways.values():
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _take(self, way: Way, reader: asyncio.StreamReader, held: _Held) -> None:
        clock = asyncio.get_running_loop().time
        due = 0.0
        while True:
            chunk = await _read(reader)
            due = max(due, clock() + self._link.delay(way))
            await held.put((due, chunk))
            if isinstance(chunk, _End):
                return

    async def _give(self, way: Way, held: _Held, writer: asyncio.StreamWriter) -> None:
        while True:
            due, chunk = await held.get()
            await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
            await self._link.gate(way).wait()
            if isinstance(chunk, _End):
                if way is Way.UP or not self.is_silent:
                    _end(writer, chunk)
                return
            if self._may_pass(way, chunk):
                await _write(writer, chunk)
                await asyncio.sleep(self._link.toll(way, len(chunk)))

    def _may_pass(self, way: Way, chunk: bytes) -> bool:
        if way is Way.UP:
            self.marks.update(self._link.marks_in(chunk))
            self._betrayed = self._betrayed or self._link.betrayal_of(chunk)
            return True
        if self._betrayed is not None and self._betrayed.answer in chunk:
            self._spring(self._betrayed)
            return False
        return not self.is_silent

    def _spring(self, betrayal: Betrayal) -> None:
        self._betrayed = None
        betrayal.sprung.set()
        if betrayal.then is Then.RESET:
            self.reset()
        else:
            self.is_silent = True


class Proxy:
    """Listens on `port` and goes on to the port that `target` names; the link is chosen by the client's own port.

    `shut`, it listens no more and clients are refused at once, as where no server runs; open connections stay.
    """

    def __init__(self, port: int, target: Callable[[], int], choose: Callable[[int], Link]) -> None:
        self.port = port
        """Where it listens; 0 becomes a free one when it is opened."""
        self._target = target
        self._choose = choose
        self._server: asyncio.Server | None = None
        self._carrying: set[asyncio.Task[None]] = set()

    @property
    def is_listening(self) -> bool:
        return self._server is not None

    async def open(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, HOST, self.port, limit=CHUNK)
            self.port = self._server.sockets[0].getsockname()[1]

    def shut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def close(self) -> None:
        """For good; every connection is reset."""
        self.shut()
        await asyncio.sleep(SETTLE)  # who was being accepted is in
        for task in self._carrying:
            task.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)
        await asyncio.sleep(0)  # a socket that was reset is let go in the loop's next turn

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port: int = writer.get_extra_info("peername")[1]
        task = asyncio.ensure_future(self._carry(self._choose(port), (reader, writer)))
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)

    async def _carry(self, link: Link, client: Stream) -> None:
        try:
            await link.carry(client, lambda: asyncio.open_connection(HOST, self._target(), limit=CHUNK))
        finally:
            _break(client[1])


async def _read(reader: asyncio.StreamReader) -> bytes | _End:
    try:
        return await reader.read(CHUNK) or _End.CLOSED
    except OSError:
        return _End.BROKEN


async def _write(writer: asyncio.StreamWriter, chunk: bytes) -> None:
    """Whoever has gone hears nothing; that it has gone is told by the other direction."""
    if writer.transport.is_closing():
        return
    with suppress(OSError):
        writer.write(chunk)
        await writer.drain()


def _end(writer: asyncio.StreamWriter, end: _End) -> None:
    if end is _End.BROKEN:
        _break(writer)
    elif not writer.transport.is_closing():
        with suppress(OSError):
            writer.write_eof()


def _break(writer: asyncio.StreamWriter) -> None:
    """By a reset where the connection still stands."""
    sock = writer.get_extra_info("socket")
    if not writer.transport.is_closing() and sock is not None:
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    writer.transport.abort()
