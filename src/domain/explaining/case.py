"""What the rules of time make of an instant: whether it is a due time of the schedule, and when it is to be acted on.

No records are asked here. A schedule comes as its versions: the one in force at the instant, then those that
followed; each as it stood, with what its calendar said, `updated_at` the moment from which on it was in force.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from rota.domain.calendars.settling import settle, verdict_at
from rota.domain.explaining.explanation import Outcome, Rule, Step
from rota.domain.explaining.naming import asked, names
from rota.domain.explaining.words import instant, length, local
from rota.domain.misfire import DueTime
from rota.domain.schedule import Schedule
from rota.domain.time.zone import load_zone
from rota.domain.trigger import FixedDelay, Ground, OneShot, OnEvent

_JUST = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """How far the rules of time let the instant come. `due` is when it would be acted on, None where that is never.

    `version` is the schedule as it was in force, None if it was not yet there. `scheduled_for` is what records are
    kept by. `made_up` says that it fell due in a pause, and was decided all the same.
    """

    at: datetime
    scheduled_for: datetime
    steps: tuple[Step, ...]
    version: Schedule | None = None
    due: DueTime | None = None
    made_up: bool = False

    @property
    def rests(self) -> bool:
        """Whether it stopped only because the schedule was disabled."""
        return self.steps[-1].rule is Rule.ENABLED and self.steps[-1].stops

    @property
    def is_stopped(self) -> bool:
        return self.steps[-1].stops

    @property
    def is_of_runs(self) -> bool:
        """Whether runs and messages say when it fires, and not the time."""
        return self.version is not None and isinstance(self.version.definition.trigger, FixedDelay | OnEvent)


def open_case(versions: Sequence[Schedule], at: datetime, now: datetime) -> Case:
    """`versions` are ascending, one at least; only the first may have been there at `at`."""
    own = _in_force(versions, at)
    if own is None:
        created = versions[0].created_at
        said = f"the schedule was created at {instant(created)}, after this instant"
        return Case(at=at, scheduled_for=at, steps=(Step(Rule.DEFINITION, Outcome.STOP, said),))
    following = versions[versions.index(own) + 1 :]
    first = _definition(own, following)
    if isinstance(own.definition.trigger, FixedDelay | OnEvent):
        return Case(at=at, scheduled_for=at, steps=(first,), version=own, due=DueTime(at, at))
    ground, trigger = ground_of(own), own.definition.trigger
    scheduled_for, landed = at, None
    if not names(trigger, ground, at):
        landed = _landing_at(own, at)
        scheduled_for = landed.scheduled_for if landed else at
    steps = [first, *_asked_of(own, ground, scheduled_for, at)]
    if steps[-1].stops:
        return Case(at=at, scheduled_for=scheduled_for, steps=tuple(steps), version=own)
    return _placed(Case(at=at, scheduled_for=scheduled_for, steps=tuple(steps), version=own), following, now)


def ground_of(schedule: Schedule) -> Ground:
    own = schedule.definition
    return Ground(load_zone(own.tz), schedule.created_at, own.start_at, schedule.open_days)


def _in_force(versions: Sequence[Schedule], at: datetime) -> Schedule | None:
    """A ONE_SHOT may be due before the version that names it: it is judged then, by `misfire`."""
    for version in versions:
        trigger = version.definition.trigger
        if isinstance(trigger, OneShot) and names(trigger, ground_of(version), at):
            return version
    return versions[0] if versions[0].updated_at <= at else None


def _definition(own: Schedule, following: Sequence[Schedule]) -> Step:
    until = f" to {instant(following[0].updated_at)}" if following else ""
    said = f"version {own.version}, in force from {instant(own.updated_at)}{until}"
    return Step(Rule.DEFINITION, Outcome.PASS, said)


def _landing_at(own: Schedule, at: datetime) -> DueTime | None:
    """What is due at `at`, scheduled for another instant."""
    if own.definition.calendar is None and not own.definition.jitter:
        return None
    due = next(own.upcoming(at - _JUST), None)
    return due if due is not None and due.due_at == at else None


def _asked_of(own: Schedule, ground: Ground, scheduled_for: datetime, at: datetime) -> Iterator[Step]:
    steps = asked(own.definition.trigger, ground, scheduled_for)
    if scheduled_for != at:
        said = f"due at this instant is what is scheduled for {instant(scheduled_for)}: {steps[0].detail}"
        steps = (replace(steps[0], detail=said), *steps[1:])
    return iter(steps)


def _placed(case: Case, following: Sequence[Schedule], now: datetime) -> Case:
    """Bounds, calendar and spread are asked, and again for each version that takes over before it is due."""
    assert case.version is not None
    own, steps = case.version, list(case.steps)
    ahead = [each for each in following if each.updated_at > case.scheduled_for and each.updated_at <= now]
    while True:
        steps += _place(own, case.scheduled_for)
        if steps[-1].stops:
            return replace(case, steps=tuple(steps), version=own)
        due = next(iter(own.due_times(case.scheduled_for - _JUST, case.scheduled_for)))
        if not own.enabled or not ahead or ahead[0].updated_at > due.due_at:
            break
        before, own = own, ahead.pop(0)
        steps.append(_taken_over(before, own))
        if steps[-1].stops:
            return replace(case, steps=tuple(steps), version=own, due=due)
    steps += _last_of_time(own, due, following)
    return replace(case, steps=tuple(steps), version=own, due=due)


def _taken_over(before: Schedule, own: Schedule) -> Step:
    if not own.enabled:
        said = f"disabled from {instant(own.updated_at)}, before it was due: it is neither run nor missed"
        return Step(Rule.ENABLED, Outcome.STOP, said)
    said = f"version {own.version} took over at {instant(own.updated_at)}, before it was due"
    if not own.definition.fires_like(before.definition):
        return Step(Rule.CHANGE, Outcome.STOP, f"{said}: it has other due times, and none from before")
    return Step(Rule.CHANGE, Outcome.PASS, f"{said}, with the same due times")


def _place(own: Schedule, scheduled_for: datetime) -> Iterator[Step]:
    for step in (*_bounds(own, scheduled_for), *_calendar(own, scheduled_for)):
        yield step
        if step.stops:
            return
    yield from _jitter(own, scheduled_for)


def _bounds(own: Schedule, scheduled_for: datetime) -> Iterator[Step]:
    start, end = own.definition.start_at, own.definition.end_at
    if start is not None:
        is_on = scheduled_for >= start
        yield Step(Rule.START_AT, _pass_or_stop(is_on), f"begins at {instant(start)}")
    if end is not None:
        is_on = scheduled_for < end
        yield Step(Rule.END_AT, _pass_or_stop(is_on), f"ends before {instant(end)}")


def _pass_or_stop(passes: bool) -> Outcome:
    return Outcome.PASS if passes else Outcome.STOP


def _calendar(own: Schedule, scheduled_for: datetime) -> Iterator[Step]:
    rule, calendar, zone = own.definition.calendar, own.open_days, load_zone(own.definition.tz)
    if rule is None:
        return
    if calendar is None:
        yield Step(Rule.CALENDAR, Outcome.PASS, f"what the calendar {rule.calendar_id} said is not known any more")
        return
    verdict = verdict_at(scheduled_for, zone, calendar)
    said = f"{calendar.name}: {verdict.day} is {'open' if verdict.is_open else 'closed'}"
    said += f" ({verdict.reason})" if verdict.reason else ""
    if verdict.is_open:
        yield Step(Rule.CALENDAR, Outcome.PASS, said)
        return
    landed = settle(scheduled_for, zone, calendar, rule.on_closed)
    if landed is not None:
        yield Step(Rule.CALENDAR, Outcome.MOVE, f"{said}; onClosed {rule.on_closed} moves it to {local(landed, zone)}")
    elif rule.moves:
        yield Step(Rule.CALENDAR, Outcome.STOP, f"{said}; onClosed {rule.on_closed} finds no open day within a year")
    else:
        yield Step(Rule.CALENDAR, Outcome.STOP, f"{said}; onClosed SKIP: it is no due time")


def _jitter(own: Schedule, scheduled_for: datetime) -> Iterator[Step]:
    if not own.definition.jitter:
        return
    due = next(iter(own.due_times(scheduled_for - _JUST, scheduled_for)))
    spread = _spread(own, due)
    most = length(own.definition.jitter)
    yield Step(
        Rule.JITTER, Outcome.MOVE, f"this schedule's own {length(spread)} of at most {most}: due {instant(due.due_at)}"
    )


def _spread(own: Schedule, due: DueTime) -> timedelta:
    rule, landed = own.definition.calendar, None
    if rule is not None and own.open_days is not None:
        landed = settle(due.scheduled_for, load_zone(own.definition.tz), own.open_days, rule.on_closed)
    return due.due_at - (landed or due.scheduled_for)


def _enabled(own: Schedule, due: DueTime, following: Sequence[Schedule]) -> Step:
    if own.enabled:
        return Step(Rule.ENABLED, Outcome.PASS, "enabled")
    if own.disabled_until is not None and _is_over_by(own, due):
        return Step(Rule.ENABLED, Outcome.PASS, f"disabled until {instant(own.disabled_until)}, and then no longer")
    again = next((each for each in following if each.enabled and each.updated_at > own.updated_at), None)
    end = again.updated_at if again else own.disabled_until
    stretch = f"disabled from {instant(own.updated_at)}" + (f" to {instant(end)}" if end else "")
    return Step(Rule.ENABLED, Outcome.STOP, f"{stretch}: what falls due meanwhile is neither run nor missed")


def _is_over_by(own: Schedule, due: DueTime) -> bool:
    """Whether its pause will have ended by itself."""
    return own.disabled_until is not None and due.scheduled_for >= own.disabled_until


def _last_of_time(own: Schedule, due: DueTime, following: Sequence[Schedule]) -> Iterator[Step]:
    yield _enabled(own, due, following)
    if not own.enabled and not _is_over_by(own, due):
        return
    rule = own.definition.calendar
    if rule is not None and rule.moves:
        first = next(own.upcoming(due.due_at - _JUST), None)
        if first is not None and first.due_at == due.due_at and first != due:
            said = (
                f"due at the same instant as what is scheduled for {instant(first.scheduled_for)}, which fires for both"
            )
            yield Step(Rule.MERGE, Outcome.STOP, said)
