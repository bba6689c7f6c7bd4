"""The intake's loop: fetch what workers report, store it, acknowledge it."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from rota.application.command import MessageBus
from rota.application.ports.bus import ReportInbox, ReportMessage
from rota.application.take_reports import TakeReports
from rota.domain.errors import ConcurrentChangeError, UnavailableError
from rota.entrypoints.bus.reports import kept_back, to_take_reports
from rota.entrypoints.loops.pace import forever

log = structlog.get_logger()

LIMIT = 16
"""Messages a batch; each is a list, so this is up to some thousand reports."""
WAIT = 2.0


class IntakeLoop:
    """A batch that cannot be stored because a server is away is held and tried again.

    One that fails otherwise is taken apart, so that a message nobody can store holds up no other: it is kept
    with its reason, once, and the stream goes on.
    """

    def __init__(self, bus: MessageBus, inbox: ReportInbox) -> None:
        self._bus = bus
        self._inbox = inbox
        self._held: Sequence[ReportMessage] = ()

    async def run(self) -> None:
        await forever("intake", self._step)

    async def _step(self) -> None:
        self._held = self._held or await self._inbox.fetch(LIMIT, WAIT)
        if self._held:
            await self._take(self._held)
            await self._inbox.acknowledge(self._held)
            self._held = ()

    async def _take(self, messages: Sequence[ReportMessage]) -> None:
        try:
            await self._bus.handle(to_take_reports(messages))
        except (UnavailableError, ConcurrentChangeError):
            raise
        except Exception as error:
            if len(messages) == 1:
                log.exception("report_cannot_be_stored", place=messages[0].place)
                await self._bus.handle(TakeReports((), [kept_back(messages[0], f"{type(error).__name__}: {error}")]))
                return
            for message in messages:
                await self._take([message])
