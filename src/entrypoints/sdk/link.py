"""The worker's connection to the bus.

Nothing here waits for the bus: what cannot be sent now is not kept. Every message that matters has an owner who sends
it again (reports until they are acknowledged, pulls until they are answered), so a buffer would only send it twice.
"""

import asyncio
import random
from collections.abc import Callable

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import UnexpectedEOF

from rota.entrypoints.sdk import wire
from rota.entrypoints.sdk.bus import NoAnswerError, Receive
from rota.entrypoints.sdk.registration import Registration

log = structlog.get_logger("rota.worker")

CONNECT_WAIT = 10.0
NOT_SENT = (NatsError, OSError, TypeError)
"""TypeError is what asyncio of Python 3.12 and early 3.13 makes of a lost connection (python/cpython#136234)."""


class Link:
    """One connection with one registration's credentials. A dead peer is noticed after about five seconds."""

    def __init__(self, registration: Registration, name: str, came_up: Callable[[], None]) -> None:
        self._registration = registration
        self._name = name
        self._came_up = came_up
        self._client = Client()
        self._is_opening = True
        self._is_closing = False
        self._inbox = wire.inbox(registration.worker_id)

    async def open(self) -> None:
        """Raises NoAnswerError when the bus cannot be reached with what the server said."""
        try:
            async with asyncio.timeout(CONNECT_WAIT):
                await self._connect()
        except (NatsError, OSError, TimeoutError) as error:
            await self.close()
            raise NoAnswerError(f"no connection to the bus: {error!r}") from error
        self._is_opening = False

    async def close(self) -> None:
        self._is_closing = True
        try:
            async with asyncio.timeout(2.0):
                await self._client.close()
        except (*NOT_SENT, TimeoutError, AttributeError) as error:
            log.debug("close_failed", error=repr(error))

    @property
    def inbox(self) -> str:
        return self._inbox

    @property
    def is_up(self) -> bool:
        return self._client.is_connected

    @property
    def is_closed(self) -> bool:
        """Whether it is over for good, as after a refused credential."""
        return self._client.is_closed

    @property
    def batch_limit(self) -> int:
        return min(wire.BATCH_LIMIT, self._client.max_payload - 4096)

    async def listen(self, subject: str, receive: Receive) -> None:
        await self._client.subscribe(subject, cb=receive)

    async def send(
        self, subject: str, data: bytes = b"", reply: str = "", headers: dict[str, str] | None = None
    ) -> bool:
        if not self._client.is_connected:
            return False
        try:
            await self._client.publish(subject, data, reply, headers)
        except NOT_SENT as error:
            log.warning("send_failed", subject=subject, error=repr(error))
            return False
        return True

    async def ask(self, subject: str, data: bytes, wait: float) -> bytes:
        if not self._client.is_connected:
            raise NoAnswerError("not connected")
        before = _cancellations()
        try:
            answer = await self._client.request(subject, data, timeout=wait)
        except NOT_SENT as error:
            raise NoAnswerError(repr(error)) from error
        finally:
            if _cancellations() > before:
                raise asyncio.CancelledError
        return answer.data

    async def _connect(self) -> None:
        credentials = self._registration.credentials
        await self._client.connect(
            self._registration.nats_url.split(","),
            name=self._name,
            user=credentials.user,
            password=credentials.password,
            inbox_prefix=self._inbox,
            max_reconnect_attempts=-1,
            reconnect_time_wait=random.uniform(0.3, 0.8),  # type: ignore[arg-type]
            ping_interval=2,
            max_outstanding_pings=2,
            pending_size=0,
            skip_subject_validation=True,
            error_cb=self._on_error,
            disconnected_cb=self._on_lost,
            reconnected_cb=self._on_back,
        )

    async def _on_error(self, error: Exception) -> None:
        """Refused permissions arrive only here; so do refused credentials, which nats-py would offer for ever."""
        if isinstance(error, OSError | UnexpectedEOF):
            log.debug("bus_unreachable", error=repr(error))
        elif self._is_opening:
            raise error
        else:
            log.warning("bus_error", error=repr(error))

    async def _on_lost(self) -> None:
        if not self._is_closing:
            log.warning("bus_lost")

    async def _on_back(self) -> None:
        log.info("bus_back")
        self._came_up()


def _cancellations() -> int:
    """Of the present task. On Python 3.11 one that comes together with an answer is swallowed on the way up."""
    task = asyncio.current_task()
    return task.cancelling() if task else 0
