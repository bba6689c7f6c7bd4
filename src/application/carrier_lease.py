"""The lease that says that a carrier of deliveries is alive.

    not held ──renewed──> held ──renewed in time──> held
       ^                   │
       └── deadline passed ┘

Unlike the leader's it is nobody else's to take: when it has run out, the leader loses what was under way, and when it
is renewed before that, nothing has happened. So whoever carries does not stop with it; it only takes nothing new, and
what it still brings to an end counts or not by the store's own look at the run.
"""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import structlog

from rota.application.ports.leases import Leases, carrier_lease
from rota.domain.ids import WorkerId

LENGTH = timedelta(seconds=5)
RENEW_EVERY = 1.0
TRY_AGAIN_AFTER = 0.25
MARGIN = 0.5

log = structlog.get_logger()


class CarrierLease:
    """Trusted only to a deadline of the own monotonic clock, counted from before the request was sent."""

    def __init__(self, leases: Leases, carrier: WorkerId) -> None:
        self._leases = leases
        self._name = carrier_lease(carrier)
        self._holder = str(carrier)
        self._deadline = 0.0

    @property
    def is_held(self) -> bool:
        return time.monotonic() < self._deadline

    async def keep(self) -> None:
        """Renews it for as long as it lives."""
        while True:
            await asyncio.sleep(RENEW_EVERY if await self.renew() else TRY_AGAIN_AFTER)

    async def renew(self) -> bool:
        """False when the store does not answer: then the deadline runs on."""
        asked = time.monotonic()
        try:
            async with asyncio.timeout(RENEW_EVERY):
                term = await self._leases.hold(self._name, self._holder, LENGTH)
        except Exception as error:  # whatever it was, the lease was not renewed
            log.warning("lease_not_renewed", lease=self._name, error=str(error) or type(error).__name__)
            return False
        if term is None:
            return False
        self._deadline = asked + LENGTH.total_seconds() - MARGIN
        return True

    async def release(self) -> None:
        """Says that nothing is under way here any more; if it cannot be said, the lease runs out."""
        self._deadline = 0.0
        try:
            async with asyncio.timeout(RENEW_EVERY):
                await self._leases.release(self._name, self._holder)
        except Exception as error:
            log.warning("lease_not_released", lease=self._name, error=str(error) or type(error).__name__)
