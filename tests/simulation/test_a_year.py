"""A year of the whole application, across clock changes and through calendars, against the oracle."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import pytest
from tests.simulation import oracle
from tests.simulation.world import World
from tests.support.builders import ACME, DAY, NOON, a_calendar, a_schedule

from rota.application.simulate_fires import fires_of
from rota.domain.calendars.definition import Closure
from rota.domain.calendars.settling import OnClosed
from rota.domain.explaining.explanation import Outcome
from rota.domain.ids import CalendarId
from rota.domain.misfire import DueTime
from rota.domain.run import Run
from rota.domain.run_events import RunState
from rota.domain.schedule import Schedule
from rota.domain.schedule_definition import CalendarRule
from rota.domain.trigger import Cron

END = NOON + 365 * DAY
BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"
CHRISTMAS = date(2026, 12, 24), date(2027, 1, 3)

EXPRESSIONS = {
    "in the gap of Berlin": ("30 2 * * *", BERLIN),
    "twice a day in New York": ("0 */12 * * *", NEW_YORK),
    "on Sundays on Lord Howe": ("0 2 * * 0", LORD_HOWE),
    "on working days": ("0 9 * * *", BERLIN),
    "daily, moved": ("0 9 * * *", BERLIN),
}
ORACLE = {
    "in the gap of Berlin": oracle.fixed_times(lambda t: (t.hour, t.minute) == (2, 30), BERLIN, NOON, END),
    "twice a day in New York": oracle.every_reading(lambda t: t.hour % 12 == t.minute == 0, NEW_YORK, NOON, END),
    "on Sundays on Lord Howe": oracle.fixed_times(
        lambda t: (t.hour, t.minute, t.isoweekday()) == (2, 0, 7), LORD_HOWE, NOON, END
    ),
    "on working days": oracle.fixed_times(lambda t: (t.hour, t.minute) == (9, 0), BERLIN, NOON, END),
}
DAILY_AT_NINE = ORACLE["on working days"]


def is_closed(day: date) -> bool:
    return day.isoweekday() > 5 or CHRISTMAS[0] <= day <= CHRISTMAS[1]


@dataclass(frozen=True)
class Year:
    world: World
    schedules: dict[str, Schedule]
    runs: dict[str, Sequence[Run]]


@pytest.fixture(scope="module")
def year() -> Year:
    """Lived once, in seconds."""
    return asyncio.run(_live())


async def _live() -> Year:
    world = World(NOON)
    calendar = a_calendar(closures=(Closure(*CHRISTMAS, "Between the years"),))
    await world.has(calendar)
    rules = {"on working days": OnClosed.SKIP, "daily, moved": OnClosed.NEXT_OPEN}
    async with world.begin() as work:
        open_days = (await work.calendars.open_days([(ACME, calendar.id)]))[ACME, calendar.id]
    schedules = {
        name: a_schedule(
            Cron(cron),
            name=name,
            tz=tz,
            calendar=CalendarRule(CalendarId(calendar.id), rules[name]) if name in rules else None,
            open_days=open_days if name in rules else None,
        )
        for name, (cron, tz) in EXPRESSIONS.items()
    }
    await world.begins(*schedules.values())
    await world.until(END)
    return Year(world, schedules, {name: await world.runs_of(own) for name, own in schedules.items()})


@pytest.mark.parametrize("name", ["in the gap of Berlin", "twice a day in New York", "on Sundays on Lord Howe"])
def test_each_due_time_is_one_run_across_the_clock_changes(year: Year, name: str) -> None:
    assert [run.scheduled_for for run in year.runs[name]] == ORACLE[name]


def test_closed_days_have_none(year: Year) -> None:
    open_days = [at for at in DAILY_AT_NINE if not is_closed(at.date())]

    assert [run.scheduled_for for run in year.runs["on working days"]] == open_days


def test_what_is_moved_fires_once_on_the_next_open_day(year: Year) -> None:
    landed = {at: oracle.next_open(at, BERLIN, is_closed) for at in DAILY_AT_NINE}
    due = {at: on for at, on in landed.items() if on < END}
    first_on = {on: min(at for at in due if due[at] == on) for on in due.values()}

    runs = year.runs["daily, moved"]

    assert {run.scheduled_for: run.due_at for run in runs} == due
    assert {run.scheduled_for for run in runs if run.state is RunState.SUCCEEDED} == set(first_on.values())
    assert {run.reason for run in runs if run.state is RunState.SKIPPED} == {"MERGED"}


def test_nothing_is_late_doubled_missed_or_left_over(year: Year) -> None:
    runs = [run for runs in year.runs.values() for run in runs]

    assert {run.fired_at - run.due_at for run in runs if run.fired_at} == {timedelta(0)}
    assert max(Counter((run.schedule_id, run.scheduled_for) for run in runs).values()) == 1
    assert {run.state for run in runs} == {RunState.SUCCEEDED, RunState.SKIPPED}
    assert not year.world.store.tables.misses


def test_the_simulation_of_a_file_says_the_same(year: Year) -> None:
    for name, schedule in year.schedules.items():
        fired = [DueTime(run.scheduled_for, run.due_at) for run in year.runs[name] if run.reason != "MERGED"]

        assert sorted(fires_of(schedule, NOON, END)) == fired


def test_every_run_is_explained_as_what_it_is(year: Year) -> None:
    told = {RunState.SUCCEEDED: Outcome.FIRED, RunState.SKIPPED: Outcome.SKIPPED}

    async def explained(schedule: Schedule, runs: Sequence[Run]) -> list[Outcome]:
        return [(await year.world.told(schedule, run.scheduled_for)).result for run in runs]

    for name, schedule in year.schedules.items():
        runs = year.runs[name][::7]
        assert asyncio.run(explained(schedule, runs)) == [told[run.state] for run in runs]


def test_what_is_explained_of_the_days_that_it_was_closed(year: Year) -> None:
    schedule = year.schedules["on working days"]
    closed = [at for at in DAILY_AT_NINE if is_closed(at.date())][::9]

    async def outcomes() -> set[tuple[str, Outcome]]:
        told = [await year.world.told(schedule, at) for at in closed]
        return {(each.steps[-2].rule, each.result) for each in told}

    assert asyncio.run(outcomes()) == {("CALENDAR", Outcome.NOT_FIRED)}
