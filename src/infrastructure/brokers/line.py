"""One broker, whether it is there or not.

    closed ──next letter──> opening ──> open
      ^                        │          │
      │                      fails      lost
      └──────── over ───── pausing <──────┘

A letter that comes while the line pauses is turned away at once, untried. The pause doubles with each failure
and is forgotten with the first letter that is stored.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import structlog

from rota.domain.errors import UnavailableError
from rota.infrastructure.brokers.letter import Letter
from rota.infrastructure.brokers.link import Connect, Link, Place, RefusedError

log = structlog.get_logger()

AT_ONCE: Final = 64
# All in seconds.
FIRST_PAUSE: Final = 0.25
LONGEST_PAUSE: Final = 5.0
OPEN_TIMEOUT: Final = 10.0
CLOSE_TIMEOUT: Final = 5.0

T = TypeVar("T")


class PausingError(UnavailableError):
    """The letter was not even tried; it may be in `retry_after` seconds."""


class Line:
    """Keeps at most one link up, and at most `at_once` letters on their way."""

    def __init__(
        self,
        name: str,
        connect: Connect,
        *,
        at_once: int = AT_ONCE,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        # A tenant reads this; where the broker stands and what it said is for the operator's log.
        self._reason = f"the broker {name!r} cannot be reached"
        self._connect = connect
        self._places = asyncio.Semaphore(at_once)
        self._monotonic = monotonic
        self._link: Link | None = None
        self._opening: asyncio.Task[Link] | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._next_pause = FIRST_PAUSE
        self._paused_until = -float("inf")

    async def put(self, letter: Letter) -> Place:
        """Returns once the broker has stored it.

        Raises RefusedError; PausingError where it was not tried, any other UnavailableError where it may be stored.
        """
        async with self._places:
            link = await self._up()
            try:
                place = await _unless_ours(link.put(letter))
            except RefusedError:
                raise
            except Exception as error:
                self._lose(link, error)
                raise UnavailableError(self._reason) from error
        self._next_pause = FIRST_PAUSE
        return place

    async def close(self) -> None:
        """Within OPEN_TIMEOUT and CLOSE_TIMEOUT, even if the broker is dead. Nothing may be put meanwhile."""
        if self._opening is not None:
            await asyncio.wait({self._opening})
        if self._link is not None:
            self._drop(self._link)
        if self._closing:
            await asyncio.wait(self._closing)

    async def _up(self) -> Link:
        if self._link is not None and self._link.is_lost:
            self._drop(self._link)
        if self._link is not None:
            return self._link
        if self._opening is None:
            if (left := self._paused_until - self._monotonic()) > 0:
                raise PausingError(self._reason, retry_after=left)
            self._opening = asyncio.create_task(self._open())
        # One letter that is given up must not take the opening from the others; a library whose opening is
        # cancelled may also leave its own tasks behind.
        return await asyncio.shield(self._opening)

    async def _open(self) -> Link:
        try:
            async with asyncio.timeout(OPEN_TIMEOUT):
                self._link = await _unless_ours(self._connect())
        except Exception as error:
            self._pause(error)
            raise UnavailableError(self._reason) from error
        finally:
            self._opening = None
        log.info("broker_connected", broker=self._name)
        return self._link

    def _lose(self, link: Link, error: Exception) -> None:
        """The first of many letters that were on their way tells; the others tell nothing new."""
        if link is self._link:
            self._drop(link)
            self._pause(error)

    def _drop(self, link: Link) -> None:
        self._link = None
        task = asyncio.create_task(self._close(link))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _close(self, link: Link) -> None:
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await _unless_ours(link.close())
        except Exception as error:
            log.warning("broker_not_closed", broker=self._name, error=repr(error))

    def _pause(self, error: Exception) -> None:
        pause = self._next_pause
        self._next_pause = min(2 * pause, LONGEST_PAUSE)
        self._paused_until = self._monotonic() + pause
        log.warning("broker_unavailable", broker=self._name, error=_told(error), pause_sec=pause)


async def _unless_ours(work: Awaitable[T]) -> T:
    """`work`, with a cancellation that nobody here asked for turned into UnavailableError.

    aiormq cancels those who wait for a confirmation when a heartbeat stays out; passed on, it would
    silently end the task of the parcel.
    """
    try:
        return await work
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise UnavailableError("the link was lost") from error


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
