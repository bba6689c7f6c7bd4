"""Messages of the bus become runs of the schedules that listen, a batch at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from rota.application.command import Message
from rota.application.firing import key_of, start_now
from rota.application.heard_event import HeardEvent, event_run_id, read_event
from rota.application.look_for_listeners import Listeners
from rota.application.ports.bus import Nudge, Order, WorkerControl
from rota.application.ports.clock import Clock
from rota.application.ports.event_inbox import EventMessage
from rota.application.ports.keys import RunKey, ScheduleKey
from rota.application.ports.store import Begin, Rejected, UnitOfWork
from rota.domain.errors import InvalidError, NotFoundError
from rota.domain.ids import TenantId
from rota.domain.overlap import Overlap
from rota.domain.run import Run
from rota.domain.run_events import Cause
from rota.domain.schedule import Schedule
from rota.domain.subject_matching import covers
from rota.domain.trigger import OnEvent

AT_ONCE = 1_000
"""The most runs that one transaction makes."""
KEPT_BODY = 2_000

Heard: TypeAlias = Mapping[ScheduleKey, Sequence[HeardEvent]]


@dataclass(frozen=True, slots=True)
class TakeEvents(Message[None]):
    """In the order of the stream. Taking one twice changes nothing the second time.

    `given_up` are messages that could not be taken for another reason than their own.
    """

    messages: Sequence[EventMessage]
    listeners: Listeners
    given_up: Sequence[Rejected] = ()


@dataclass(frozen=True, slots=True)
class TakeEventsHandler:
    """A message makes one run of each schedule that hears it: the run's id follows from the two."""

    begin: Begin
    clock: Clock
    control: WorkerControl
    nudge: Nudge

    async def __call__(self, command: TakeEvents) -> None:
        heard: list[tuple[Schedule, HeardEvent]] = []
        rejected = list(command.given_up)
        for message in command.messages:
            listeners = list(command.listeners.of(message.subject))
            if not listeners:
                continue
            try:
                event = read_event(message)
            except InvalidError as error:
                rejected.append(kept_back(message, listeners[0].tenant_id, f"no payload: {error}"))
                continue
            heard += ((schedule, event) for schedule in listeners if hears(schedule, event, self.clock.now()))
        if rejected:
            await self._reject(rejected)
        for portion in _portions(heard):
            await self._take(portion)
        if heard:
            self.nudge()

    async def _reject(self, rejected: Sequence[Rejected]) -> None:
        async with self.begin() as work:
            work.reject(rejected)
            await work.commit()

    async def _take(self, heard: Heard) -> None:
        """In rounds: where runs must not overlap, the first of several must be stored before the second is judged."""
        while heard:
            async with self.begin() as work:
                await work.schedules.hold(heard)
                taking = _Taking(work, self.clock.now(), await _made_before(work, heard), await _senders(work, heard))
                heard = {key: left for key, events in heard.items() if (left := await taking.take(key, events))}
                await work.commit()
            await self.control.tell(taking.orders)


@dataclass(slots=True)
class _Taking:
    """One round, in one unit of work; the schedules are locked."""

    work: UnitOfWork
    now: datetime
    made: Collection[RunKey]
    senders: Mapping[RunKey, Run]
    orders: list[Order] = field(default_factory=list)

    async def take(self, key: ScheduleKey, events: Sequence[HeardEvent]) -> Sequence[HeardEvent]:
        """Answers those that are left for the next round."""
        try:
            schedule = await self.work.schedules.get(*key)
        except NotFoundError:
            return ()
        fresh = {event_run_id(schedule.id, event): event for event in events if self._is_for(schedule, event)}
        left = [event for run_id, event in fresh.items() if (schedule.tenant_id, run_id) not in self.made]
        at_once = len(left) if schedule.definition.overlap is Overlap.ALLOW else 1
        started = [await self._start(schedule, event) for event in left[:at_once]]
        if any(started):
            await self.work.schedules.fired([key], self.now)
        return left[at_once:]

    def _is_for(self, schedule: Schedule, event: HeardEvent) -> bool:
        """Asked again of the schedule as it is now, and with what only the store knows."""
        sender = self.senders.get((schedule.tenant_id, event.sender)) if event.sender else None
        is_own = sender is not None and sender.schedule_id == schedule.id
        return not is_own and hears(schedule, event, self.now)

    async def _start(self, schedule: Schedule, event: HeardEvent) -> bool:
        """False if it was skipped."""
        is_started, orders = await start_now(self.work, schedule, run_of(schedule, event, now=self.now), now=self.now)
        self.orders += orders
        return is_started


def run_of(schedule: Schedule, event: HeardEvent, *, now: datetime) -> Run:
    """Not yet accepted. Its dedupe key is the message's id, and only tells: what is unique is the run's own id, made
    of the message and the schedule, for several schedules may hear one message.
    """
    run_id = event_run_id(schedule.id, event)
    run = schedule.run_now(run_id, now=now, payload=event.payload, cause=Cause.EVENT)
    run.dedupe_key = event.id
    run.correlation_id = event.correlation_id or run.correlation_id
    run.traceparent = event.traceparent
    return run


def hears(schedule: Schedule, event: HeardEvent, now: datetime) -> bool:
    """Whether the message is one for the schedule.

    Not if it is older than the schedule's trigger (clocks of the bus and of the store must agree), and not if the
    schedule's own runs sent it or are told of: nothing may feed itself.
    """
    own = schedule.definition
    return (
        schedule.enabled
        and isinstance(own.trigger, OnEvent)
        and covers(own.trigger.subject, event.subject)
        and _is_of(schedule.tenant_id, event.subject)
        and (own.start_at is None or own.start_at <= now)
        and (own.end_at is None or now < own.end_at)
        and (schedule.decided_to is None or schedule.decided_to < event.at)
        and event.satisfies(own.trigger.filter)
        and not event.comes_from(schedule.id)
    )


def kept_back(message: EventMessage, tenant_id: TenantId, reason: str) -> Rejected:
    """A message that starts nothing, for the table of what was not taken."""
    body = message.body[:KEPT_BODY].decode(errors="replace").replace("\x00", "\ufffd")
    return Rejected(tenant_id=tenant_id, reason=f"{message.subject}: {reason}"[:KEPT_BODY], kind="EVENT", body=body)


def tenant_of(subject: str) -> TenantId:
    """Whose message it is: `topic.<tenant>.…`, or `scheduler.<aggregate>.<event>.<tenant>`."""
    words = subject.split(".")
    return TenantId(words[1] if words[0] == "topic" and len(words) > 1 else words[-1])


def _is_of(tenant_id: TenantId, subject: str) -> bool:
    """A schedule that should never have come to listen to another tenant hears nothing."""
    return tenant_of(subject) == tenant_id


def _portions(heard: Sequence[tuple[Schedule, HeardEvent]]) -> Iterator[Heard]:
    for first in range(0, len(heard), AT_ONCE):
        portion: defaultdict[ScheduleKey, list[HeardEvent]] = defaultdict(list)
        for schedule, event in heard[first : first + AT_ONCE]:
            portion[key_of(schedule)].append(event)
        yield portion


async def _made_before(work: UnitOfWork, heard: Heard) -> Collection[RunKey]:
    """Runs of these messages that are there already: the bus brings a message again, and nothing else would tell
    before others were replaced or skipped because of it.
    """
    found = await work.runs.peek(
        (tenant_id, event_run_id(schedule_id, event))
        for (tenant_id, schedule_id), events in heard.items()
        for event in events
    )
    return found.keys()


async def _senders(work: UnitOfWork, heard: Heard) -> Mapping[RunKey, Run]:
    """The runs that sent these messages to a queue which schedules listen to."""
    senders = {(key[0], event.sender) for key, events in heard.items() for event in events if event.sender}
    return await work.runs.peek(senders) if senders else {}
