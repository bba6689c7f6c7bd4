"""The intake's loop: fetch what workers report, store it, acknowledge it."""

from __future__ import annotations

from rota.application.command import MessageBus
from rota.application.ports.bus import ReportInbox
from rota.entrypoints.bus.reports import to_take_reports
from rota.entrypoints.loops.pace import forever

LIMIT = 16
"""Messages a batch; each is a list, so this is up to some thousand reports."""
WAIT = 2.0


class IntakeLoop:
    """A batch that cannot be stored comes again: nothing is acknowledged before the commit."""

    def __init__(self, bus: MessageBus, inbox: ReportInbox) -> None:
        self._bus = bus
        self._inbox = inbox

    async def run(self) -> None:
        await forever("intake", self._step)

    async def _step(self) -> None:
        messages = await self._inbox.fetch(LIMIT, WAIT)
        if messages:
            await self._bus.handle(to_take_reports(messages))
            await self._inbox.acknowledge(messages)
