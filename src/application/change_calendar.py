"""A calendar gets a new definition."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rota.application.answering import keep_answer
from rota.application.command import Message
from rota.application.inclusion import open_days_after
from rota.application.move_fires import MovedFire, move_fires
from rota.application.ports.bus import Nudge, WorkerControl
from rota.application.ports.clock import Clock, Ids
from rota.application.ports.store import Begin
from rota.domain.calendar import CalendarSnapshot
from rota.domain.calendars.definition import CalendarDefinition
from rota.domain.expected import ANY_VERSION, Expected
from rota.domain.ids import CalendarId, TenantId


@dataclass(frozen=True, slots=True)
class ChangedCalendar:
    before: CalendarSnapshot
    after: CalendarSnapshot
    moved: Sequence[MovedFire]


def _as_it_is(changed: ChangedCalendar) -> object:
    return changed


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeCalendar(Message[ChangedCalendar]):
    """`revise` makes the new definition of what stands. A dry run answers the same and changes nothing.

    `tell` makes of it what the caller is told, where it is part of another message.
    """

    tenant_id: TenantId
    calendar_id: CalendarId
    revise: Callable[[CalendarSnapshot], CalendarDefinition]
    is_dry_run: bool = False
    expected: Expected = ANY_VERSION
    tell: Callable[[ChangedCalendar], object] = _as_it_is


@dataclass(frozen=True, slots=True)
class ChangeCalendarHandler:
    """The schedules that go by it, or by one that includes it, get their new next instants in the same transaction."""

    begin: Begin
    clock: Clock
    ids: Ids
    control: WorkerControl
    nudge: Nudge

    async def __call__(self, command: ChangeCalendar) -> ChangedCalendar:
        async with self.begin() as work:
            calendar = await work.calendars.get(command.tenant_id, command.calendar_id)
            command.expected.check(calendar.version)
            before, now = calendar.snapshot(), self.clock.now()
            calendar.change(command.revise(before), now=now)
            after = calendar.snapshot()
            changed = await open_days_after(work, calendar)
            if after.definition.opens_like(before.definition):
                changed = {}
            moved, orders = await move_fires(work, command.tenant_id, changed, now=now, ids=self.ids)
            changes = ChangedCalendar(before, after, moved)
            if command.is_dry_run:
                return changes
            keep_answer(work, command.tell(changes))
            await work.commit()
        await self.control.tell(orders)
        self.nudge()
        return changes
