"""Holding a lease, and trusting it no longer than one may.

    following ──hold succeeds──> leading ──renewed in time──> leading
        ^                           │
        └── deadline passed, or another holds, or released ──┘

The holder trusts its lease only up to a deadline of its own monotonic clock, counted from before the request
was sent: monotonic time runs on while the process is stopped. Losing it is not dangerous, only wasteful:
safety lies in the store's compare-and-set.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from rota.application.ports.leases import Leases, Term

LENGTH = timedelta(seconds=1.5)
RENEW_EVERY = 0.5
LOOK_EVERY = 0.1
"""How often a follower tries: so long a lease that has run out, or was given back, may lie there."""
MARGIN = 0.1

log = structlog.get_logger()


class Leadership:
    """One process's part in the election for one lease."""

    def __init__(self, leases: Leases, name: str, holder: str) -> None:
        self._leases = leases
        self._name = name
        self._holder = holder
        self._deadline = 0.0
        self.epoch = 0

    @property
    def is_held(self) -> bool:
        return time.monotonic() < self._deadline

    async def run(self, lead: Callable[[int], Awaitable[None]]) -> None:
        """Runs `lead(epoch)` whenever the lease is held and cancels it when it is lost; releases on cancellation."""
        try:
            while True:
                term = await self._try_to_hold()
                if term is None:
                    await asyncio.sleep(LOOK_EVERY)
                else:
                    self.epoch = term.epoch
                    log.info("lease_taken", lease=self._name, epoch=term.epoch)
                    await self._lead_while_held(lead, term.epoch)
                    log.warning("lease_lost", lease=self._name, epoch=term.epoch)
        finally:
            await self._release()

    async def _lead_while_held(self, lead: Callable[[int], Awaitable[None]], epoch: int) -> None:
        leading = asyncio.ensure_future(lead(epoch))
        try:
            while self.is_held and not leading.done():
                await asyncio.wait([leading], timeout=self._until_renewal())
                if leading.done() or not self.is_held:
                    break
                term = await self._try_to_hold()
                if term is not None and term.epoch != epoch:
                    break
        finally:
            leading.cancel()
            await asyncio.gather(leading, return_exceptions=True)
        if not leading.cancelled() and (error := leading.exception()):
            raise error

    def _until_renewal(self) -> float:
        left = self._deadline - time.monotonic()
        return max(min(RENEW_EVERY, left), 0.01)

    async def _try_to_hold(self) -> Term | None:
        """None also when the database does not answer: then the deadline runs on."""
        asked = time.monotonic()
        try:
            async with asyncio.timeout(self._until_renewal() if self.is_held else RENEW_EVERY):
                term = await self._leases.hold(self._name, self._holder, LENGTH)
        except Exception as error:  # whatever it was, the lease was not renewed
            log.warning("lease_not_renewed", lease=self._name, error=str(error) or type(error).__name__)
            return None
        if term is None:
            self._deadline = 0.0
        else:
            self._deadline = asked + LENGTH.total_seconds() - MARGIN
        return term

    async def _release(self) -> None:
        held, self._deadline = self.is_held, 0.0
        if held:
            try:
                async with asyncio.timeout(1):
                    await self._leases.release(self._name, self._holder)
            except Exception as error:  # it expires by itself
                log.warning("lease_not_released", lease=self._name, error=str(error))
