"""Heartbeats: that this worker lives, what it carries, and up to where it has been heard."""

import asyncio
import contextlib
import random
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Final

import structlog

from rota.entrypoints.sdk import wire
from rota.entrypoints.sdk.bus import Bus, NoAnswerError
from rota.entrypoints.sdk.control import Control
from rota.entrypoints.sdk.place import ReportPlace
from rota.entrypoints.sdk.roster import Roster

log = structlog.get_logger("rota.worker")

ANSWER_WAIT: Final = 1.0
PLACE_CHECK: Final = 30.0
"""Seconds after which the bus is asked again whether ROTA_REPORTS is still the same stream."""


class Heart:
    """Beats until it is stopped: every `every` seconds, sooner after no answer or when hurried."""

    def __init__(
        self,
        worker_id: str,
        tenant: str,
        every: float,
        slots: int,
        bus: Bus,
        roster: Roster,
        place: ReportPlace,
        control: Control,
    ) -> None:
        self._worker_id = worker_id
        self._subject = wire.beat_subject(tenant)
        self._every = every
        self._slots = slots
        self._bus = bus
        self._roster = roster
        self._place = place
        self._control = control
        self._hurry = asyncio.Event()
        self._checked_at = 0.0
        self._is_stopped = False
        self.is_draining = False

    async def beat(self) -> None:
        while not self._is_stopped:
            self._hurry.clear()
            was_heard = await self.beat_once()
            pause = self._every if was_heard else min(self._every, random.uniform(0.3, 0.7))
            await _wait(self._hurry, pause)

    def hurry(self) -> None:
        """Has the next beat made at once."""
        self._hurry.set()

    def stop(self) -> None:
        """Ends `beat` after the beat that is under way."""
        self._is_stopped = True
        self._hurry.set()

    async def beat_once(self) -> bool:
        """Whether it was answered; the answer has then been obeyed."""
        await self._check_place()
        try:
            answer = await self._bus.ask(self._subject, wire.encode(self._message()), ANSWER_WAIT)
        except NoAnswerError as error:
            log.debug("beat_unanswered", error=repr(error))
            return False
        self._control.obey(answer)
        return True

    def _message(self) -> dict[str, Any]:
        return {
            "workerId": self._worker_id,
            "at": datetime.now(UTC),
            "slots": self._slots,
            "running": self._roster.named(),
            "reportSeq": self._place.as_wire(),
            "draining": self.is_draining,
        }

    async def _check_place(self) -> None:
        if monotonic() - self._checked_at > PLACE_CHECK:
            self._place.doubt()
            self._checked_at = monotonic()
        if not self._place.is_in_doubt:
            return
        doubts = self._place.doubts
        created = await self._stream_created()
        if created is not None:
            self._place.settle(created, doubts)

    async def _stream_created(self) -> str | None:
        """When ROTA_REPORTS was made, in the bus's own words; None when it cannot say."""
        try:
            info = wire.decode(await self._bus.ask(wire.STREAM_INFO, b"", ANSWER_WAIT))
        except (NoAnswerError, ValueError):
            return None
        created = info.get("created") if isinstance(info, dict) else None
        return created if isinstance(created, str) else None


async def _wait(event: asyncio.Event, timeout: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout):
            await event.wait()
