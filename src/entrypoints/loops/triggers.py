"""The loop of event triggers: messages of the bus start runs. It belongs to whoever leads."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import structlog

from rota.application.command import MessageBus
from rota.application.look_for_listeners import Listeners, LookForListeners, LookForListenersHandler
from rota.application.ports.bus import Nudge, WorkerControl
from rota.application.ports.clock import Clock
from rota.application.ports.event_inbox import EventInbox, EventMessage
from rota.application.ports.store import Begin
from rota.application.take_events import TakeEvents, TakeEventsHandler, kept_back, tenant_of
from rota.domain.errors import ConcurrentChangeError, UnavailableError
from rota.entrypoints.loops.pace import forever

log = structlog.get_logger()

LIMIT = 256
"""Messages a batch."""
WAIT = 0.5
LOOK_EVERY = 1.0
REST = 20
"""A look is followed by at least so many times its own length without one, however many schedules listen."""


def wire_triggers(bus: MessageBus, *, begin: Begin, clock: Clock, control: WorkerControl, nudge: Nudge) -> None:
    """The use cases of event triggers."""
    bus.on(LookForListeners, LookForListenersHandler(begin))
    bus.on(TakeEvents, TakeEventsHandler(begin, clock, control, nudge))


class EventTriggerLoop:
    """Every inbox is read in a task of its own. `run` may be run again after it was cancelled."""

    def __init__(self, bus: MessageBus, inboxes: Sequence[EventInbox]) -> None:
        self._bus = bus
        self._inboxes = inboxes

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for inbox in self._inboxes:
                tasks.create_task(_Reader(self._bus, inbox).run())


class _Reader:
    """A batch that cannot be taken because a server is away is held and tried again; one that fails otherwise is
    taken apart, so that a message that nobody can take holds up no other.
    """

    def __init__(self, bus: MessageBus, inbox: EventInbox) -> None:
        self._bus = bus
        self._inbox = inbox
        self._listeners = Listeners()
        self._held: Sequence[EventMessage] = ()
        self._next_look = 0.0

    async def run(self) -> None:
        try:
            await forever(f"triggers_{self._inbox.name}", self._step)
        finally:
            await self._inbox.close()

    async def _step(self) -> None:
        if time.monotonic() >= self._next_look:
            await self._look()
        self._held = self._held or await self._inbox.fetch(LIMIT, WAIT)
        if self._held:
            await self._take(self._held)
            await self._inbox.acknowledge(self._held)
            self._held = ()

    async def _look(self) -> None:
        await self._inbox.look()
        began = time.monotonic()
        self._listeners = await self._bus.handle(LookForListeners())
        took = time.monotonic() - began
        await self._inbox.follow(self._listeners.subjects)
        self._next_look = time.monotonic() + max(LOOK_EVERY, REST * took)

    async def _take(self, messages: Sequence[EventMessage]) -> None:
        try:
            await self._bus.handle(TakeEvents(messages, self._listeners))
        except (UnavailableError, ConcurrentChangeError):
            raise
        except Exception as error:
            if len(messages) == 1:
                await self._give_up(messages[0], error)
                return
            for message in messages:
                await self._take([message])

    async def _give_up(self, message: EventMessage, error: Exception) -> None:
        log.exception("event_cannot_be_taken", subject=message.subject, place=message.place)
        reason = f"cannot be taken: {type(error).__name__}: {error}"
        kept = kept_back(message, tenant_of(message.subject), reason)
        await self._bus.handle(TakeEvents((), self._listeners, [kept]))
