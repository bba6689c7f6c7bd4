"""What a set of schedules would fire in a period."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from tests.support.builders import ACME, DAY, HOUR, MINUTE, NOON, next_id

from rota.application.drafts import NamedJob, ScheduleDraft
from rota.application.simulate_fires import check_period, fires_of, simulated_fires, standing
from rota.domain.calendars.definition import CalendarDefinition
from rota.domain.calendars.settling import OnClosed
from rota.domain.errors import InvalidError
from rota.domain.ids import CalendarId, ScheduleId
from rota.domain.schedule import Schedule
from rota.domain.schedule_definition import CalendarRule
from rota.domain.trigger import Cron, FixedDelay, FixedRate, OneShot, OnEvent, Rrule, Trigger

CALENDAR = CalendarId(next_id())
WEEKDAYS = {CALENDAR: CalendarDefinition(name="weekdays")}
WEEK = NOON + 7 * DAY
"""NOON is a Monday's."""


def a_draft(trigger: Trigger, name: str = "daily-report", **said: object) -> ScheduleDraft:
    return ScheduleDraft(name=name, trigger=trigger, target=NamedJob("reports.daily"), tz="UTC", **said)


def made(*drafts: ScheduleDraft) -> list[Schedule]:
    return list(standing(ACME, [(ScheduleId(next_id()), draft) for draft in drafts], WEEKDAYS, NOON))


def one(trigger: Trigger, **said: object) -> Schedule:
    (schedule,) = made(a_draft(trigger, **said))
    return schedule


def due(schedule: Schedule, until: datetime = WEEK) -> list[datetime]:
    return [each.due_at for each in fires_of(schedule, NOON, until)]


def test_fires_come_in_order_and_at_one_instant_as_the_schedules_were_given() -> None:
    schedules = made(
        a_draft(FixedRate(2 * HOUR, NOON), "b"), a_draft(FixedRate(3 * HOUR, NOON), "a"), a_draft(OneShot(NOON), "c")
    )

    found = [(fire.due.due_at - NOON, fire.schedule.definition.name) for fire in simulated_fires(schedules, NOON, WEEK)]

    assert found[:7] == [
        (timedelta(0), "b"),
        (timedelta(0), "a"),
        (timedelta(0), "c"),
        (2 * HOUR, "b"),
        (3 * HOUR, "a"),
        (4 * HOUR, "b"),
        (6 * HOUR, "b"),
    ]


def test_the_period_includes_its_first_instant_and_not_its_last() -> None:
    assert due(one(FixedRate(DAY, NOON)), NOON + 2 * DAY) == [NOON, NOON + DAY]


@pytest.mark.parametrize("until", [NOON, NOON - HOUR])
def test_a_period_that_ends_before_it_begins_is_refused(until: datetime) -> None:
    with pytest.raises(InvalidError, match="to: must be after `from`"):
        check_period(NOON, until)


def test_a_rate_is_anchored_where_the_period_begins() -> None:
    assert due(one(FixedRate(DAY)), NOON + 2 * DAY) == [NOON, NOON + DAY]


def test_a_rule_begins_on_the_day_on_which_the_period_does() -> None:
    assert due(one(Rrule("FREQ=DAILY;COUNT=2;BYHOUR=18;BYMINUTE=0"))) == [NOON + 6 * HOUR, NOON + 30 * HOUR]


def test_bounds_and_max_runs_hold() -> None:
    schedule = one(FixedRate(DAY, NOON), start_at=NOON + DAY, end_at=NOON + 6 * DAY, max_runs=3)

    assert due(schedule) == [NOON + n * DAY for n in (1, 2, 3)]


def test_a_disabled_schedule_and_one_that_listens_fire_nothing() -> None:
    assert due(one(FixedRate(DAY), enabled=False)) == []
    assert due(one(OnEvent("topic.acme.orders"))) == []


def test_a_fixed_delay_counts_from_each_fire_as_runs_take_no_time() -> None:
    assert due(one(FixedDelay(2 * DAY))) == [NOON, NOON + 2 * DAY, NOON + 4 * DAY, NOON + 6 * DAY]


@pytest.mark.parametrize(
    ("on_closed", "days"), [(OnClosed.SKIP, [0, 1, 2, 3, 4]), (OnClosed.PREVIOUS_OPEN, [0, 1, 2, 3, 4])]
)
def test_closed_days_are_skipped_or_merged_into_open_ones(on_closed: OnClosed, days: list[int]) -> None:
    schedule = one(FixedRate(DAY, NOON), calendar=CalendarRule(CALENDAR, on_closed))

    assert due(schedule) == [NOON + n * DAY for n in days]


def test_what_was_scheduled_before_the_period_and_lands_in_it_is_there() -> None:
    schedule = one(Cron("0 18 * * 6"), calendar=CalendarRule(CALENDAR, OnClosed.NEXT_OPEN))

    found = list(fires_of(schedule, NOON, NOON + DAY))

    assert [(each.scheduled_for, each.due_at) for each in found] == [(NOON - 42 * HOUR, NOON + 6 * HOUR)]


def test_a_spread_puts_fires_over_the_edges_of_the_period() -> None:
    schedule = one(FixedRate(MINUTE, NOON - DAY), jitter=HOUR)

    found = list(fires_of(schedule, NOON, NOON + DAY))

    assert len(found) == 1440
    assert NOON <= found[0].due_at < NOON + MINUTE
    assert found[0].scheduled_for <= NOON
    assert len({each.due_at - each.scheduled_for for each in found}) == 1


def test_faults_name_their_schedule() -> None:
    wanting = a_draft(Cron("0 0 * * *"), calendar=CalendarRule(CalendarId(next_id())))

    with pytest.raises(InvalidError) as refusal:
        made(a_draft(FixedRate(DAY)), wanting, wanting)

    assert [fault.field for fault in refusal.value.faults] == [
        "schedules.1.calendar.calendarId",
        "schedules.2.calendar.calendarId",
    ]
