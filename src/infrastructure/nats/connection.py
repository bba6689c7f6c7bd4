"""A connection that does not give up, and the two fast paths the hot loops need.

nats-py is used through its public methods, with three exceptions that live here and nowhere else:
`write` queues ready-made protocol bytes, and `listen` takes messages straight from the parser. They
spare header dictionaries, regular expressions, a queue and a task switch per message: 6 of 10 µs of
processor time per acknowledged publish (measured in bare loops, windows of 1,000). And a lost link is cut,
not closed: nats-py waits until what was written has left, which on a half-open link takes TCP a quarter of
an hour, and only then looks for another server.
"""

from __future__ import annotations

import asyncio
import inspect
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final, TypeAlias

import structlog
from nats.aio.client import Client, Server
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.aio.transport import TcpTransport
from nats.errors import Error as NatsError

from rota.application.cancellation import cancellation_kept
from rota.domain.errors import UnavailableError

log = structlog.get_logger(__name__)

Sink: TypeAlias = Callable[[bytes, bytes, bytes, bytes], None]
"""Takes subject, reply, body and the raw header block (empty if there is none); must not block."""

OLDEST_SERVER: Final = (2, 12)
PING_INTERVAL: Final = 2
PINGS_OUTSTANDING: Final = 2
RECONNECT_WAIT: Final = (0.1, 1.0)
ATTEMPT_TIMEOUT: Final = 2
CLOSE_TIMEOUT: Final = 2
WRITE_LIMIT: Final = 4 * 1024 * 1024
"""Bytes that may wait for the socket; beyond it `write` refuses."""

_READY_POLL: Final = 0.02
_LOG_EVERY: Final = 10.0

if tuple(inspect.signature(Client._process_msg).parameters) != ("self", "sid", "subject", "reply", "data", "headers"):
    raise ImportError("this release of nats-py hands messages over in another way; rota needs nats-py 2.16")


class OldServerError(UnavailableError):
    """A server answers that is too old."""


class StrangerError(UnavailableError):
    """A server answers that does not take these credentials."""


class SparseLog:
    """Says the same thing at most once per `every` seconds, with how often it was left out since."""

    def __init__(self, every: float = _LOG_EVERY) -> None:
        self._every = every
        self._said: dict[tuple[str, str], tuple[float, int]] = {}

    def warning(self, event: str, *, error: str, **facts: object) -> None:
        """Two warnings are the same if their event and error are."""
        key, now = (event, error), time.monotonic()
        last, left_out = self._said.get(key, (-self._every, 0))
        if now - last < self._every:
            self._said[key] = (last, left_out + 1)
            return
        if len(self._said) >= 100:
            self._said.clear()
        self._said[key] = (now, 0)
        log.warning(event, error=error, left_out=left_out, **facts)


class Connection(Client):
    """A NATS client that tells when its link was lost, writes in bulk and hands messages over in place."""

    def __init__(self) -> None:
        super().__init__()
        self.losses = 0
        """How often the link was lost: what was in flight at a smaller count may be gone."""
        self._sinks: dict[int, Sink] = {}
        self._loss_watchers: set[Callable[[], None]] = set()
        self._leaving = False

    def on_loss(self, watcher: Callable[[], None]) -> None:
        """Have `watcher` called each time the link is lost."""
        self._loss_watchers.add(watcher)

    def off_loss(self, watcher: Callable[[], None]) -> None:
        """Stop calling `watcher`."""
        self._loss_watchers.discard(watcher)

    async def ready(self, timeout: float) -> bool:
        """Wait until the link is up, at most `timeout` seconds; False if it is not, at once if closed."""
        deadline = time.monotonic() + timeout
        while not self.is_connected:
            left = deadline - time.monotonic()
            if self.is_closed or left <= 0:
                return False
            await asyncio.sleep(min(_READY_POLL, left))
        return True

    def write(self, chunk: bytes) -> bool:
        """Queue whole protocol commands; False if the connection is closed or its buffer is full.

        While the link is down they wait for the next one: whoever must not have that asks `is_connected`.
        """
        size = len(chunk)
        if self.is_closed or (self._pending and self._pending_data_size + size > WRITE_LIMIT):
            return False
        self._pending.append(chunk)
        self._pending_data_size += size
        if self.is_connected and self._flush_queue is not None and self._flush_queue.empty():
            self._flush_queue.put_nowait(asyncio.get_running_loop().create_future())
        return True

    async def request(self, *given: Any, **named: Any) -> Msg:  # Any: nats-py's own parameters
        """As nats-py's, which on Python 3.11 swallows a cancellation that comes together with the answer."""
        with cancellation_kept():
            return await super().request(*given, **named)

    async def listen(self, subject: str, sink: Sink) -> Subscription:
        """Subscribe with a plain function that is called as messages are parsed."""
        subscription = await self.subscribe(subject, cb=_unheard)
        self._sinks[subscription._id] = sink
        return subscription

    async def unlisten(self, subscription: Subscription) -> None:
        """End what `listen` began; harmless when the connection is closed or draining."""
        self._sinks.pop(subscription._id, None)
        with suppress(NatsError):
            await subscription.unsubscribe()

    async def close(self) -> None:
        """Leave on purpose, within seconds even if the server is dead: `on_closed` is not called."""
        self._leaving = True
        if self._flush_queue is None:
            return
        if not await self._flushed():
            self._cut()
        await super().close()

    async def _flushed(self) -> bool:
        """Whether the server has all that was written."""
        if not self.is_connected:
            return False
        try:
            await self.flush(CLOSE_TIMEOUT)
        except (NatsError, OSError):
            return False
        return True

    async def drain(self) -> None:
        """Finish what is under way, then leave on purpose."""
        self._leaving = True
        await super().drain()

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def _process_op_err(self, e: Exception) -> None:
        self._cut(keep_pending=True)
        await super()._process_op_err(e)

    def _cut(self, *, keep_pending: bool = False) -> None:
        """Drop the link without waiting for the other side."""
        if not keep_pending:
            self._pending = []
            self._pending_data_size = 0
        if isinstance(self._transport, TcpTransport) and self._transport._io_writer is not None:
            self._transport._io_writer.transport.abort()

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        sink = self._sinks.get(sid)
        if sink is None:
            await super()._process_msg(sid, subject, reply, data, headers)
            return
        try:
            sink(subject, reply, data, headers or b"")
        except Exception:
            # An error that leaves here would end the client's reading task, and with it the connection.
            log.exception("bus_message_not_taken", subject=subject.decode(errors="replace"))

    def _lose(self) -> None:
        self.losses += 1
        for watcher in tuple(self._loss_watchers):
            watcher()


async def connect(
    url: str,
    *,
    name: str,
    inbox_prefix: str = "_INBOX",
    on_closed: Callable[[], None] | None = None,
    deadline: float = 30.0,
) -> Connection:
    """A connection to the servers of `url` (several with commas), kept up until it is closed.

    The first connection is tried for `deadline` seconds. `on_closed` is called when the client gave up by
    itself (the server refused its credentials): it never works again, so the process should end.
    Raises UnavailableError when no server answers in time, or when it is older than 2.12.
    """
    connection = Connection()
    try:
        async with asyncio.timeout(deadline):
            await connection.connect(**_options(connection, url, name, inbox_prefix, on_closed))
    except (TimeoutError, OSError, NatsError) as error:
        why = connection.last_error or error
        await connection.close()
        kind = StrangerError if "authorization violation" in str(why).lower() else UnavailableError
        raise kind(f"no NATS server answers at {_without_password(url)}: {_told(why)}") from error
    except asyncio.CancelledError:
        await connection.close()
        raise
    await _refuse_old_server(connection)
    log.info("bus_connected", name=name)
    return connection


def _options(
    connection: Connection, url: str, name: str, inbox_prefix: str, on_closed: Callable[[], None] | None
) -> Mapping[str, Any]:  # Any: as mixed as the keyword arguments it stands for
    return {
        "servers": [server.strip() for server in url.split(",")],
        "name": name,
        "inbox_prefix": inbox_prefix,
        "allow_reconnect": True,
        "max_reconnect_attempts": -1,
        "reconnect_to_server_handler": _next_server,
        "reconnect_time_wait": random.uniform(*RECONNECT_WAIT),
        "connect_timeout": ATTEMPT_TIMEOUT,
        "ping_interval": PING_INTERVAL,
        "max_outstanding_pings": PINGS_OUTSTANDING,
        "pending_size": 2 * WRITE_LIMIT,
        **_callbacks(connection, name, on_closed),
    }


def _callbacks(
    connection: Connection, name: str, on_closed: Callable[[], None] | None
) -> dict[str, Callable[..., Awaitable[None]]]:
    sparse = SparseLog()

    async def error_cb(error: Exception) -> None:
        sparse.warning("bus_error", error=_told(error), name=name)

    async def disconnected_cb() -> None:
        connection._lose()
        if not connection._leaving:
            sparse.warning("bus_disconnected", error="", name=name)

    async def reconnected_cb() -> None:
        log.info("bus_reconnected", name=name, losses=connection.losses)

    async def closed_cb() -> None:
        if connection._leaving:
            return
        log.error("bus_closed", name=name, error=_told(connection.last_error))
        if on_closed is not None:
            on_closed()

    return {
        "error_cb": error_cb,
        "disconnected_cb": disconnected_cb,
        "reconnected_cb": reconnected_cb,
        "closed_cb": closed_cb,
    }


def _next_server(servers: list[Server], _info: dict[str, Any]) -> tuple[Server, float]:
    """The server tried least, after a wait drawn anew each time, so that clients do not return in step."""
    return min(servers, key=lambda server: server.reconnects), random.uniform(*RECONNECT_WAIT)


async def _refuse_old_server(connection: Connection) -> None:
    version = connection.connected_server_version
    if (version.major, version.minor) < OLDEST_SERVER:
        await connection.close()
        raise OldServerError(f"nats-server {version.major}.{version.minor} is too old; rota needs 2.12 or newer")


async def _unheard(_message: Msg) -> None:
    """The callback of a subscription whose messages its sink takes before."""


def _told(error: BaseException | None) -> str:
    return f"{type(error).__name__}: {error}" if error is not None else ""


def _without_password(url: str) -> str:
    return ",".join(server.strip().rpartition("@")[2] for server in url.split(","))
