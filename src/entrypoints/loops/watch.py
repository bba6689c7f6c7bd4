"""What every process does beside its roles: read the clock, and make sure that its event loop turns."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import threading
import time
from collections.abc import Callable

import structlog

log = structlog.get_logger()

BEAT = 0.25
STUCK_AFTER = 10.0
ENDS_WITHIN = 30.0
"""A process that was asked to end is given this long: what is under way is finished or handed back first."""


class Watchdog:
    """Ends the process when its event loop has not turned for ten seconds: another then takes its place.

    `note` is told how much later than asked each beat came, in seconds.
    """

    def __init__(self, note: Callable[[float], None] = lambda _: None) -> None:
        self._note = note
        self._beaten = time.monotonic()
        self._patience = STUCK_AFTER

    async def run(self) -> None:
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()
        try:
            while True:
                before = time.monotonic()
                await asyncio.sleep(BEAT)
                self._beaten = time.monotonic()
                self._note(max(self._beaten - before - BEAT, 0.0))
        finally:
            self._patience = ENDS_WITHIN

    def _watch(self) -> None:
        looked = time.monotonic()
        while True:
            time.sleep(1.0)
            now = time.monotonic()
            if now - looked > 3.0:  # the whole process was stopped, not its loop
                self._beaten = now
            looked = now
            if now - self._beaten > self._patience:
                log.error("event_loop_stuck", seconds=round(now - self._beaten, 1))
                faulthandler.dump_traceback()
                os._exit(70)
