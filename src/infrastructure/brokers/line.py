"""One broker, whether it is there or not.

    closed ──first letter──> opening ──────> open ──lost──> pausing
                                │                             │
                                └──fails──> pausing ──over──> closed

A letter that comes while the line pauses is turned away at once: its run waits out its own backoff. The pause
doubles with each failure and is forgotten with the first letter that is stored.
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
FIRST_PAUSE: Final = 0.25
LONGEST_PAUSE: Final = 5.0
OPEN_TIMEOUT: Final = 10.0
CLOSE_TIMEOUT: Final = 5.0

T = TypeVar("T")


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
        self._connect = connect
        self._places = asyncio.Semaphore(at_once)
        self._monotonic = monotonic
        self._link: Link | None = None
        self._opening: asyncio.Task[Link] | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._failures = 0
        self._paused_until = -float("inf")

    async def put(self, letter: Letter) -> Place:
        """Returns once the broker has stored it. Raises RefusedError, or UnavailableError where that is not known."""
        async with self._places:
            link = await self._up()
            try:
                place = await _unless_ours(link.put(letter))
            except RefusedError:
                raise
            except Exception as error:
                self._lose(link, error)
                raise self._unavailable() from error
        self._failures = 0
        return place

    async def close(self) -> None:
        """Within seconds, even if the broker is dead."""
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
            if self._monotonic() < self._paused_until:
                raise self._unavailable()
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
            raise self._unavailable() from error
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
        pause = min(FIRST_PAUSE * 2**self._failures, LONGEST_PAUSE)
        self._failures += 1
        self._paused_until = self._monotonic() + pause
        log.warning("broker_unavailable", broker=self._name, error=_told(error), pause_sec=pause)

    def _unavailable(self) -> UnavailableError:
        """A tenant reads this; where the broker stands and what it said is for the operator's log."""
        return UnavailableError(f"the broker {self._name!r} cannot be reached")


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
