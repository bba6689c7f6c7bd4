"""How a schedule walks its due times: once, in order (`course`).

`decided_to` is how far it has come, a mark of that course: each due time up to it has been fired, missed, skipped or
set aside for catching up; `next` is the first that has not.

`decided_to` alone says that as long as the order of the due times stays as it is. Beside it stand `ahead`, instants
of the trigger that were decided before their turn; and, where a calendar moves due times, `armed_from`: what is
scheduled up to it is none of this schedule's due times, however late it would be due.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import groupby, islice
from typing import Self

from rota.domain.aggregate import Aggregate
from rota.domain.calendars.open_days import OpenDays
from rota.domain.course import HORIZON, Course, Moved, Straight
from rota.domain.decision import CatchUp
from rota.domain.errors import InvalidError
from rota.domain.ids import ScheduleId
from rota.domain.misfire import DueTime
from rota.domain.schedule_definition import EVER, ScheduleDefinition
from rota.domain.time.zone import load_zone
from rota.domain.trigger import FixedDelay, Ground, OneShot, OnEvent, check_can_fire

PORTION = 10_000
"""The most due times judged at once; a longer backlog is judged in several decisions."""

AT_ONCE = 1_000
"""The most runs that one decision makes; what lies before them is set aside, to be made in portions."""

MOST_MADE_UP = 50_000
"""The most due times of a pause that are made up for."""

MOST_MOVED = 24
"""The most due times of a day that a calendar may move: those of a closed year all land on one day."""

JUST = timedelta(microseconds=1)
DAY = timedelta(days=1)

_SHORT = timedelta(minutes=1)
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(slots=True, kw_only=True, eq=False)
class Walk(Aggregate):
    """What a schedule knows of its due times. `Schedule` says what becomes of them.

    `open_days` is what its calendar says at present, where it goes by one.
    """

    id: ScheduleId
    definition: ScheduleDefinition
    created_at: datetime
    enabled: bool = True
    runs_made: int = 0
    decided_to: datetime | None = None
    next: DueTime | None = None
    armed_from: datetime | None = None
    ahead: frozenset[datetime] = frozenset()
    open_days: OpenDays | None = field(default=None, repr=False)
    _laid: tuple[ScheduleDefinition, OpenDays | None, Course] | None = field(default=None, repr=False)

    @property
    def _ground(self) -> Ground:
        own = self.definition
        return Ground(load_zone(own.tz), self.created_at, own.start_at, self.open_days)

    @property
    def _course(self) -> Course:
        """Laid once for what is said and open now: the tick asks for it several times, of thousands of schedules."""
        laid = self._laid
        if laid is None or laid[0] is not self.definition or laid[1] is not self.open_days:
            laid = self._laid = (self.definition, self.open_days, self._lay_course())
        return laid[2]

    def _lay_course(self) -> Course:
        own, spread = self.definition, self._spread
        if own.calendar is None or self.open_days is None or not own.calendar.moves:
            return Straight(own.trigger, self._ground, own.end_at, spread, own.calendar is not None)
        return Moved(own.trigger, self._ground, own.calendar.on_closed, own.end_at, spread)

    @property
    def _spread(self) -> timedelta:
        """The same each time: schedules with one expression and a jitter do not come all at once."""
        jitter = self.definition.jitter
        if not jitter:
            return jitter
        digest = int.from_bytes(hashlib.sha256(self.id.bytes).digest()[:8])
        return timedelta(milliseconds=digest % (jitter // _MILLISECOND + 1))

    def _check_trigger(self, now: datetime) -> None:
        """Raises InvalidError on `trigger`, or `calendar`."""
        try:
            check_can_fire(self.definition.trigger, self._ground, now)
        except InvalidError as error:
            raise error.under("trigger") from error
        self._check_calendar(now)

    def _check_calendar(self, now: datetime) -> None:
        """Raises InvalidError where the calendar moves more than makes sense, or leaves nothing of an endless rule."""
        own, ground = self.definition, self._ground
        if own.calendar is None or (first := own.trigger.next_fire(now, ground)) is None:
            return
        day = own.trigger.fires_between(first - JUST, first - JUST + DAY, ground)
        if own.calendar.moves and len(list(islice(day, MOST_MOVED + 1))) > MOST_MOVED:
            raise InvalidError(
                f"at most {MOST_MOVED} due times a day can be moved; with more, use SKIP: an open day has its own",
                "calendar.onClosed",
            )
        is_endless = own.end_at is None and own.trigger.next_fire(now + HORIZON, ground) is not None
        if is_endless and self._course.next_after(self._course.mark_at(now)) is None:
            raise InvalidError("leaves nothing of the trigger: all its due times are closed", "calendar.calendarId")

    # What is due, whoever asks

    def due_times(self, after: datetime, until: datetime) -> Iterator[DueTime]:
        """The due times of the present definition with `scheduled_for` in (after, until], in that order."""
        own, course = self.definition, self._course
        if own.start_at is not None:
            after = max(after, own.start_at - JUST)
        if own.end_at is not None:
            until = min(until, own.end_at - JUST)
        for instant in own.trigger.fires_between(after, until, self._ground):
            due = course.at(instant)
            if due is not None:
                yield due

    def due_times_of(self, catch_up: CatchUp) -> Iterator[DueTime]:
        """Those that are still to be made, in order."""
        span = catch_up.span
        if isinstance(self.definition.trigger, FixedDelay):  # its one due time came from a run, not from the trigger
            yield from (DueTime(span.first, span.first + self._spread),) if catch_up.made_to is None else ()
            return
        yield from self.due_times(catch_up.made_to or span.first - JUST, span.last)

    def upcoming(self, after: datetime, now: datetime | None = None) -> Iterator[DueTime]:
        """The due times with `due_at` later than `after` that would fire, without end unless the definition has one.

        Whatever was decided before: asked about the past, it tells what the present definition makes of it. With
        `now`, of what is due later than that, what is none of its due times is left out.
        """
        if isinstance(self.definition.trigger, FixedDelay):
            yield from (due for due in (self.next,) if due is not None and due.due_at > after)
            return
        course = self._course
        low = EVER if now is None else (self.armed_from if isinstance(course, Moved) else self.decided_to) or EVER
        left = (
            due
            for due in course.beyond(course.mark_at(after))
            if due.scheduled_for not in self.ahead
            and (due.scheduled_for > low or (now is not None and due.due_at <= now))
        )
        for _, together in groupby(left, lambda due: due.due_at):
            yield next(together)

    # What is to be decided

    def _portion(self, now: datetime) -> tuple[list[DueTime], tuple[DueTime, ...], bool]:
        """The due times to be judged now, those merged into them, and whether more follow."""
        if isinstance(self.definition.trigger, FixedDelay):
            return ([self.next] if self.next else []), (), False
        if not isinstance(self._course, Moved):
            most = AT_ONCE if self.definition.calendar else PORTION
            due = list(islice(self._in_trigger_order(now), most + 1))
            return due[:most], (), len(due) > most
        found = [list(each) for _, each in islice(groupby(self._due_until(now), lambda due: due.due_at), AT_ONCE + 1)]
        portion = found[:AT_ONCE]
        merged = tuple(due for together in portion for due in together[1:])
        return [together[0] for together in portion], merged, len(found) > AT_ONCE

    def _in_trigger_order(self, now: datetime) -> Iterator[DueTime]:
        """What is not yet decided, where no calendar moves it. Mostly that is `next` alone, which is known already."""
        assert self.next is not None
        course = self._course
        yield self.next
        mark = course.mark_of(self.next)
        following = course.next_after(mark)
        if following is None or following.due_at > now:
            return
        for due in course.beyond(mark, now):
            if due.scheduled_for not in self.ahead:
                yield due

    def _due_until(self, now: datetime | None) -> Iterator[DueTime]:
        """What is not yet decided, in order."""
        return self._undecided(self._course.beyond(self._mark, now))

    def _undecided(self, found: Iterator[DueTime]) -> Iterator[DueTime]:
        """Of those beyond the mark."""
        if not self.ahead and self.armed_from is None:
            return found
        low = self.armed_from or EVER
        return (due for due in found if due.scheduled_for > low and due.scheduled_for not in self.ahead)

    @property
    def _mark(self) -> datetime:
        """How far it has come; the beginning, if nothing was decided yet."""
        if self.decided_to is not None:
            return self.decided_to
        course = self._course
        if self.armed_from is None or not isinstance(course, Moved):
            return EVER
        return course.mark_before(self.armed_from)

    # Where it begins, and begins anew

    def _arm(self, now: datetime, ahead: frozenset[datetime] = frozenset()) -> None:
        """No due time lies before this; a ONE_SHOT's may. `ahead` is what was decided already of what lies beyond."""
        trigger = self.definition.trigger
        low = now - JUST
        if isinstance(trigger, OneShot):
            instant = trigger.next_fire(EVER, self._ground)
            low = EVER if instant is None else instant - JUST
        self._begin(low, ahead)
        if isinstance(trigger, FixedDelay):
            first = max(now, self.definition.start_at or now)
            self.next = DueTime(first, first + self._spread)

    def _begin(self, low: datetime, ahead: frozenset[datetime]) -> None:
        """What is scheduled up to `low` is decided, of what lies beyond only `ahead`."""
        moves = isinstance(self._course, Moved)
        self.decided_to, self.armed_from = (None, low) if moves else (low, None)
        self.ahead = ahead

    def _change_trigger(self, before: ScheduleDefinition, open_days: OpenDays | None, now: datetime) -> None:
        ahead = self._as(before)._decided_ahead(now - JUST)
        self.open_days = open_days
        self._check_trigger(now)
        self._arm(now, ahead)

    def _change_places(self, before: ScheduleDefinition, open_days: OpenDays | None, now: datetime) -> None:
        """The trigger's instants stay and are due at other times: those that are not decided yet."""
        then = self._as(before)
        if self.enabled:
            then._decided(now)
        low = then._decided_below(now)
        ahead = then._decided_ahead(low, now)
        self.open_days = open_days
        self._begin(low, ahead)

    def _as(self, definition: ScheduleDefinition) -> Self:
        """The schedule with another definition; for asking only."""
        return replace(self, definition=definition, _recorded=[], _laid=None)

    def _decided_below(self, now: datetime) -> datetime:
        """An instant up to which all that the trigger names is decided, and as late as may be."""
        course = self._course
        if not isinstance(course, Moved):
            return self.decided_to or EVER
        low = max(self.armed_from or EVER, course.earliest(self._mark))
        for instant in course.scheduled(low, self._mark):
            if not self._is_decided(instant, now):
                return instant - JUST
            low = instant
        return low

    def _decided_ahead(self, low: datetime, now: datetime | None = None) -> frozenset[datetime]:
        """What is decided already of what the trigger names beyond `low`."""
        kept = {instant for instant in self.ahead if instant > low}
        course = self._course
        if isinstance(course, Moved):
            kept.update(each for each in course.scheduled(low, self._mark) if self._is_decided(each, now))
        return frozenset(kept)

    def _is_decided(self, instant: datetime, now: datetime | None) -> bool:
        """Of a course that moves; closed times that are past count as decided."""
        if instant in self.ahead:
            return True
        due = self._course.at(instant)
        if due is None:
            return now is not None and instant <= now
        return due.due_at <= self._mark

    def _forget_ahead(self) -> None:
        """What the walk has passed by now."""
        course, mark = self._course, self._mark
        if self.ahead and not isinstance(course, Moved):
            self.ahead = frozenset(instant for instant in self.ahead if instant > mark)
        elif self.ahead:
            found = ((instant, course.at(instant)) for instant in self.ahead)
            self.ahead = frozenset(instant for instant, due in found if due and course.mark_of(due) > mark)

    def _decided(self, now: datetime) -> None:
        """All up to `now` is decided; a ONE_SHOT in a disabled schedule may still wait behind it, and a message that
        an EVENT schedule is to hear may still be under way.
        """
        if not isinstance(self.definition.trigger, OneShot | OnEvent):
            mark = self._course.mark_at(now)
            self.decided_to = max(mark, self.decided_to or mark)

    # What comes next

    def _look_ahead(self) -> None:
        spent = not self.enabled or self.runs_left == 0
        if isinstance(self.definition.trigger, FixedDelay):
            self._look_ahead_of_delay(spent)
        elif spent:
            self.next = None
        elif self.ahead or self.armed_from is not None:
            self.next = next(iter(self._due_until(None)), None)
        else:
            self.next = self._course.next_after(self._mark)

    def _look_ahead_of_delay(self, spent: bool) -> None:
        """What comes next stands already, until it is decided: then the end of its run tells."""
        is_decided = (
            self.next is not None and self.decided_to is not None and self.next.scheduled_for <= self.decided_to
        )
        if spent or is_decided or (self.next and self._is_over(self.next.scheduled_for)):
            self.next = None

    def _is_over(self, due: datetime) -> bool:
        end = self.definition.end_at
        return self.runs_left == 0 or (end is not None and due >= end)

    @property
    def runs_left(self) -> int | None:
        """How many more `max_runs` allows; None is no limit."""
        limit = self.definition.max_runs
        return None if limit is None else max(limit - self.runs_made, 0)

    # After a pause

    def _pass_by(self, at: datetime) -> None:
        """What fell due before is none of its due times any more."""
        self._decided(at - JUST)
        self._arm(at, self._decided_ahead(at - JUST))

    def _all_due(self, now: datetime) -> list[list[DueTime]]:
        """What fell due up to `now` and is not decided, together what is due together."""
        most = PORTION if self.definition.calendar else MOST_MADE_UP
        due = list(islice(self._due_until(now), most + 1))
        if len(due) > most:
            raise InvalidError(f"more than {most:,} due times fell due while it was disabled", "catchUp")
        return [list(together) for _, together in groupby(due, lambda each: each.due_at)]

    def _last_due(self, now: datetime) -> list[list[DueTime]]:
        """The last of them alone, found without walking through the pause."""
        course, low, high = self._course, self._mark, now

        def beyond(at: datetime) -> Iterator[DueTime]:
            return self._undecided(course.beyond(max(self._mark, course.mark_at(at)), now))

        while high - low > _SHORT:
            middle = low + (high - low) / 2
            if next(beyond(middle), None) is None:
                high = middle
            else:
                low = middle
        return [list(together) for _, together in groupby(beyond(low), lambda each: each.due_at)][-1:]

    # Before their turn

    def _next_fires(self, count: int) -> tuple[DueTime, ...]:
        """The due times of the next so many, which are known of most triggers."""
        if self.next is None:
            return ()
        if not isinstance(self.definition.trigger, FixedDelay):
            together = groupby(self._due_until(None), lambda due: due.due_at)
            return tuple(due for _, group in islice(together, count) for due in group)
        if count > 1:
            raise InvalidError("a FIXED_DELAY schedule knows only the next of its fires", "count")
        return (self.next,)

    def _at(self, due_at: datetime) -> tuple[DueTime, ...]:
        """Those due at that instant."""
        if self.next is None or isinstance(self.definition.trigger, FixedDelay):
            return (self.next,) if self.next and self.next.due_at == due_at else ()
        course = self._course
        before = max(self._mark, course.mark_at(due_at - JUST))
        return tuple(due for due in self._undecided(course.beyond(before, due_at)) if due.due_at == due_at)
