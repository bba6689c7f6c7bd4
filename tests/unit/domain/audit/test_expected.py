"""The second opinion on due times: read and laid out by other means, it says what the first says."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.builders import DAY, HOUR, MINUTE, NOON, SECOND, a_schedule, next_id

from rota.domain.audit.cron_reading import NotReadError, read_cron
from rota.domain.audit.expected import expected, has_second_opinion
from rota.domain.calendars.business_days import BusinessDay, Period
from rota.domain.calendars.definition import CalendarDefinition, Closure, OpeningHours, Weekday
from rota.domain.calendars.open_days import OpenDays
from rota.domain.calendars.settling import OnClosed
from rota.domain.ids import CalendarId
from rota.domain.schedule import Schedule
from rota.domain.schedule_definition import CalendarRule
from rota.domain.time.zone import ClockChange, Gap, Overlap
from rota.domain.trigger import Cron, FixedDelay, FixedRate, OnBusinessDay, OneShot, OnEvent, Rrule, Trigger

LONG_AGO = datetime(2010, 1, 1, tzinfo=UTC)
CALENDAR = CalendarId(next_id())
ODD = OpenDays(
    CalendarDefinition(
        name="odd",
        closures=(Closure(datetime(2026, 4, 28).date(), datetime(2026, 5, 4).date(), "inventory"),),
        opening_hours=(OpeningHours(frozenset({Weekday.WE}), time(8), time(12)),),
    )
)
CRONS = [
    "* * * * *", "*/15 * * * *", "0 9 * * 1-5", "30 2 * * *", "15,45 1-3 * * *", "0 0 1,15 * *", "0 0 13 * 5",
    "0 12 */2 * mon", "5 4 * * sun", "0 22 * * 7", "@hourly", "@daily", "@monthly", "@yearly", "0 0 L * *", "0 6 * * 5L",
    "0 6 * * L5", "0 6 * * 5#3", "0 6 * * mon#1,tue#2", "0 0 29 feb *", "10-30/5 3 * jan-mar *", "3/20 * * * *",
    "0 2-4/2 * * *", "30 0 2 * * *", "*/20 30 2 * * *", "0 0,12 1 */3 *", "59 23 L,15 * *", "0 3 * 3,10,11 0",
]  # fmt: skip
ZONES = [
    "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Africa/Casablanca",
    "Asia/Kathmandu", "Pacific/Apia", "Asia/Tehran", "America/Havana", "Antarctica/Troll", "Europe/Dublin",
]  # fmt: skip
CHANGES = [None, *(ClockChange(gap, overlap) for gap in Gap for overlap in Overlap)]


def both(schedule: Schedule, after: datetime, until: datetime) -> tuple[list[datetime], list[datetime]]:
    first = [due.scheduled_for for due in islice(schedule.due_times(after, until), 3000)]
    second = [each.scheduled_for for each in islice(expected(schedule, after, until), 3000)]
    return first, second


def agrees(trigger: Trigger, after: datetime, until: datetime, **more: object) -> int:
    schedule = a_schedule(trigger, now=LONG_AGO, **more)
    first, second = both(schedule, after, until)
    assert second == first
    return len(first)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("cron", CRONS)
def test_a_year_of_cron_is_the_same(cron: str, zone: str) -> None:
    agrees(Cron(cron), datetime(2025, 11, 20, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC), tz=zone)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(
    ("zone", "around"),
    [
        ("Europe/Berlin", datetime(2026, 3, 29, 1, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2026, 10, 25, 1, tzinfo=UTC)),
        ("Australia/Lord_Howe", datetime(2026, 4, 4, 15, tzinfo=UTC)),
        ("Australia/Lord_Howe", datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
        ("Pacific/Apia", datetime(2011, 12, 30, 10, tzinfo=UTC)),
        ("Antarctica/Troll", datetime(2026, 3, 29, 1, tzinfo=UTC)),
        ("America/Havana", datetime(2026, 11, 1, 5, tzinfo=UTC)),
    ],
)
def test_around_a_clock_change_every_rule_is_the_same(zone: str, around: datetime, change: ClockChange | None) -> None:
    counts = [
        agrees(Cron(cron, change), around - 3 * DAY, around + 3 * DAY, tz=zone)
        for cron in ("*/7 * * * *", "30 2 * * *", "15 1,2,3 * * *", "0,30 0-3 * * *", "*/13 0 2 * * *", "5 */2 * * *")
    ]
    assert all(counts)


@settings(max_examples=300, deadline=None)
@given(
    cron=st.sampled_from(CRONS),
    zone=st.sampled_from(ZONES),
    change=st.sampled_from(CHANGES),
    after=st.datetimes(datetime(2011, 6, 1), datetime(2030, 1, 1)),
    hours=st.integers(1, 3 * 24),
)
def test_any_stretch_of_cron_is_the_same(
    cron: str, zone: str, change: ClockChange | None, after: datetime, hours: int
) -> None:
    begins = after.replace(tzinfo=UTC)
    agrees(Cron(cron, change), begins, begins + hours * HOUR, tz=zone)


@settings(max_examples=100, deadline=None)
@given(
    every=st.integers(1_000_000, 10**10),
    anchor=st.datetimes(datetime(2020, 1, 1), datetime(2028, 1, 1)),
    after=st.datetimes(datetime(2020, 1, 1), datetime(2028, 1, 1)),
)
def test_rates_are_the_same(every: int, anchor: datetime, after: datetime) -> None:
    rate = FixedRate(timedelta(microseconds=every), anchor.replace(tzinfo=UTC))
    begins = after.replace(tzinfo=UTC)
    agrees(rate, begins, begins + HOUR)


def test_a_rate_without_an_anchor_begins_with_its_schedule() -> None:
    assert agrees(FixedRate(MINUTE), NOON, NOON + HOUR) == 60
    assert agrees(FixedRate(MINUTE), NOON, NOON + HOUR, start_at=NOON + 30 * MINUTE + SECOND) == 30


@pytest.mark.parametrize("local", [datetime(2026, 3, 29, 2, 30), datetime(2026, 10, 25, 2, 30), datetime(2026, 6, 1)])
def test_a_one_shot_is_the_same(local: datetime) -> None:
    around = local.replace(tzinfo=UTC)
    assert agrees(OneShot(local), around - DAY, around + DAY, tz="Europe/Berlin") == 1


@pytest.mark.parametrize("on_closed", list(OnClosed))
@pytest.mark.parametrize("trigger", [Cron("30 9,15 * * *"), Cron("30 2 * * *"), FixedRate(7 * HOUR)])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "UTC"])
def test_in_a_calendar_it_is_the_same(trigger: Trigger, on_closed: OnClosed, zone: str) -> None:
    schedule = a_schedule(trigger, now=LONG_AGO, tz=zone, calendar=CalendarRule(CALENDAR, on_closed), open_days=ODD)
    after, until = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)

    first = [(due.scheduled_for, due.due_at) for due in schedule.due_times(after, until)]
    second = [(each.scheduled_for, each.acted_on) for each in expected(schedule, after, until)]

    assert second == first != []


@pytest.mark.parametrize("period", list(Period))
@pytest.mark.parametrize("day", [1, 3, -1, -2])
def test_business_days_are_the_same(period: Period, day: int) -> None:
    rule = OnBusinessDay(BusinessDay(day=day, at=time(2, 30), of=period))
    calendar = {"calendar": CalendarRule(CALENDAR), "open_days": ODD, "tz": "Europe/Berlin"}

    agrees(rule, datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 3, 1, tzinfo=UTC), **calendar)


def test_the_bounds_of_the_definition_hold() -> None:
    bounds = {"start_at": NOON + 10 * MINUTE, "end_at": NOON + 20 * MINUTE}
    assert agrees(Cron("* * * * *"), NOON, NOON + HOUR, **bounds) == 10


@pytest.mark.parametrize("trigger", [FixedDelay(MINUTE), OnEvent("orders.paid"), Rrule("FREQ=DAILY")])
def test_of_some_triggers_there_is_none(trigger: Trigger) -> None:
    assert not has_second_opinion(a_schedule(trigger).definition)
    with pytest.raises(NotReadError):
        list(expected(a_schedule(trigger), NOON, NOON + DAY))


@pytest.mark.parametrize("text", ["1 2 3", "60 * * * *", "5-1 * * * *", "* * * * 1,5#3", "* * * * foo", "*/0 * * * *"])
def test_of_some_expressions_there_is_none(text: str) -> None:
    with pytest.raises(NotReadError):
        read_cron(text)
