"""Due times that a calendar moves and a jitter spreads, against an oracle that looks at every instant of the trigger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from tests.support.builders import DAY, HOUR, MINUTE, NOON, SECOND, a_schedule, next_id

from rota.domain.calendars.business_days import BusinessDay
from rota.domain.calendars.definition import CalendarDefinition, Closure, OpeningHours, PublicHolidays, Weekday
from rota.domain.calendars.open_days import OpenDays
from rota.domain.calendars.settling import OnClosed, settle
from rota.domain.course import _landings
from rota.domain.decision import Decision
from rota.domain.errors import InvalidError
from rota.domain.ids import CalendarId
from rota.domain.misfire import DueTime, MisfirePolicy, Span
from rota.domain.schedule import Schedule
from rota.domain.schedule_definition import CalendarRule
from rota.domain.time.zone import load_zone
from rota.domain.trigger import Cron, FixedRate, Ground, OnBusinessDay, OneShot, Rrule, Trigger

JUST = timedelta(microseconds=1)
CALENDAR = CalendarId(next_id())
WEEKDAYS = OpenDays(CalendarDefinition(name="weekdays"))
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


def at(day: int, hour: int = 9, minute: int = 0) -> datetime:
    """On that day of March 2026; the 2nd is a Monday."""
    return datetime(2026, 3, 1, hour, minute, tzinfo=UTC) + (day - 1) * DAY


def on(
    calendar: OpenDays, on_closed: OnClosed, trigger: Trigger | None = None, *, now: datetime = MONDAY, **more: object
) -> Schedule:
    """Daily at nine, unless a trigger is given."""
    return a_schedule(
        trigger or Cron("0 9 * * *"),
        now=now,
        calendar=CalendarRule(CALENDAR, on_closed),
        open_days=calendar,
        **more,
    )


def closing(first: datetime, last: datetime) -> OpenDays:
    closure = Closure(first.date(), last.date(), "inventory")
    return OpenDays(CalendarDefinition(name="x", working_days=frozenset(Weekday), closures=(closure,)))


def decide_all(schedule: Schedule, now: datetime) -> list[Decision]:
    decisions = []
    while schedule.is_due(now):
        decisions.append(schedule.decide(now))
    return decisions


def walk(schedule: Schedule, until: datetime) -> list[DueTime]:
    """What fires, looked at as each comes."""
    fired: list[DueTime] = []
    while schedule.next is not None and schedule.next.due_at <= until:
        fired += schedule.decide(schedule.next.due_at).fire
    return fired


def fires(schedule: Schedule, count: int) -> list[tuple[str, str]]:
    found = islice(schedule.upcoming(MONDAY), count)
    return [(f"{due.due_at:%d %H:%M}", f"{due.scheduled_for:%d %H:%M}") for due in found]


class TestMoves:
    def test_a_closed_time_is_none_under_skip(self) -> None:
        assert fires(on(WEEKDAYS, OnClosed.SKIP), 7)[4:] == [
            ("06 09:00", "06 09:00"),
            ("09 09:00", "09 09:00"),
            ("10 09:00", "10 09:00"),
        ]

    def test_what_lands_on_one_instant_fires_once_for_the_earliest(self) -> None:
        assert fires(on(WEEKDAYS, OnClosed.NEXT_OPEN), 7)[4:] == [
            ("06 09:00", "06 09:00"),
            ("09 09:00", "07 09:00"),
            ("10 09:00", "10 09:00"),
        ]

    def test_the_next_fire_is_the_smallest_due_instant_whatever_the_nominal_order(self) -> None:
        mixed = Rrule("RRULE:FREQ=YEARLY;COUNT=1\nRDATE:20260306T180000,20260307T090000,20260308T080000")

        assert fires(on(WEEKDAYS, OnClosed.NEXT_OPEN, mixed), 3) == [
            ("06 18:00", "06 18:00"),
            ("09 08:00", "08 08:00"),
            ("09 09:00", "07 09:00"),
        ]
        assert fires(on(WEEKDAYS, OnClosed.PREVIOUS_OPEN, mixed), 3) == [
            ("06 08:00", "08 08:00"),
            ("06 09:00", "07 09:00"),
            ("06 18:00", "06 18:00"),
        ]

    def test_the_others_are_told_as_merged(self) -> None:
        schedule = on(WEEKDAYS, OnClosed.NEXT_OPEN)
        decide_all(schedule, at(6, 10))

        (decision,) = decide_all(schedule, at(9))

        due_at = at(9)
        assert decision.fire == (DueTime(at(7), due_at),)
        assert decision.merged == (DueTime(at(8), due_at), DueTime(at(9), due_at))
        assert decision.count == 3
        assert schedule.next == DueTime(at(10), at(10))

    def test_the_bounds_judge_the_nominal_instant(self) -> None:
        schedule = on(WEEKDAYS, OnClosed.NEXT_OPEN, start_at=at(7), end_at=at(8))

        assert [*schedule.upcoming(MONDAY)] == [DueTime(at(7), at(9))]

    def test_business_days_are_those_of_the_calendar(self) -> None:
        schedule = on(WEEKDAYS, OnClosed.SKIP, OnBusinessDay(BusinessDay(day=-1, at=time(17))))

        assert schedule.next == DueTime(at(31, 17), at(31, 17))

    def test_a_single_instant_moves_too(self) -> None:
        assert on(WEEKDAYS, OnClosed.NEXT_OPEN, OneShot(at(7))).next == DueTime(at(7), at(9))
        assert on(WEEKDAYS, OnClosed.SKIP, OneShot(at(7))).next is None


class TestWhatIsKnownTooLate:
    def test_a_move_to_before_the_creation_is_a_misfire_at_that_instant(self) -> None:
        schedule = on(WEEKDAYS, OnClosed.PREVIOUS_OPEN, now=at(7, 12))

        assert schedule.next == DueTime(at(8), at(6))
        assert schedule.decide(at(7, 12)).fire == (DueTime(at(8), at(6)),)
        assert schedule.next == DueTime(at(9), at(9))

    def test_what_was_scheduled_before_the_creation_does_not_come_back_by_a_move(self) -> None:
        schedule = on(WEEKDAYS, OnClosed.NEXT_OPEN, now=at(8, 12))

        assert schedule.next == DueTime(at(9), at(9))

    def test_the_policy_judges_it(self) -> None:
        schedule = on(WEEKDAYS, OnClosed.PREVIOUS_OPEN, now=at(7, 12), policy=MisfirePolicy.SKIP)

        decision = schedule.decide(at(7, 12))

        assert decision.fire == ()
        assert decision.miss is not None
        assert decision.miss.span == Span(at(8), at(8), 1)

    def test_a_disabled_and_enabled_schedule_does_not_fire_again_what_was_moved_ahead(self) -> None:
        schedule = on(WEEKDAYS, OnClosed.PREVIOUS_OPEN)
        assert [due.scheduled_for for due in walk(schedule, at(6, 10))] == [at(2), at(3), at(4), at(5), at(6)]

        schedule.disable("", now=at(6, 11))
        schedule.enable("", now=at(6, 12))

        assert schedule.next == DueTime(at(9), at(9))


class TestAChangedCalendar:
    OPEN = closing(at(400), at(400))
    ON_WEDNESDAY = closing(at(4), at(4))

    def test_it_tells_from_when_to_when_the_next_fire_moved(self) -> None:
        schedule = on(self.OPEN, OnClosed.NEXT_OPEN, now=at(3, 12))

        moved = schedule.recalendar(self.ON_WEDNESDAY, now=at(3, 13))

        assert moved is not None
        assert (moved.before, moved.after) == (at(4), at(5))
        assert schedule.is_changed

    def test_what_stays_is_not_told(self) -> None:
        schedule = on(self.OPEN, OnClosed.NEXT_OPEN, now=at(2, 12))

        assert schedule.recalendar(self.ON_WEDNESDAY, now=at(2, 13)) is None

    def test_a_move_that_lands_before_it_was_known_is_due_at_once(self) -> None:
        schedule = on(self.OPEN, OnClosed.PREVIOUS_OPEN)
        walk(schedule, at(3, 10))

        schedule.recalendar(self.ON_WEDNESDAY, now=at(3, 12))

        assert schedule.next == DueTime(at(4), at(3))
        assert schedule.decide(at(3, 12)).fire == (DueTime(at(4), at(3)),)
        assert schedule.next == DueTime(at(5), at(5))

    def test_what_was_decided_ahead_of_its_time_is_not_decided_again(self) -> None:
        schedule = on(self.ON_WEDNESDAY, OnClosed.PREVIOUS_OPEN)
        walk(schedule, at(3, 10))

        schedule.recalendar(self.OPEN, now=at(3, 12))

        assert schedule.next == DueTime(at(5), at(5))

    def test_what_waits_for_an_open_day_keeps_waiting_under_the_new_calendar(self) -> None:
        schedule = on(WEEKDAYS, OnClosed.NEXT_OPEN, FixedRate(DAY, at(1, 9)))
        walk(schedule, at(7, 12))

        schedule.recalendar(closing(at(7), at(9)), now=at(7, 12))

        assert schedule.next == DueTime(at(7), at(10))

    def test_a_change_of_what_happens_on_closed_days_is_one_of_places_too(self) -> None:
        schedule = on(WEEKDAYS, OnClosed.NEXT_OPEN)
        walk(schedule, at(7, 12))

        skipping = replace(schedule.definition, calendar=CalendarRule(CALENDAR, OnClosed.SKIP))
        schedule.change(skipping, now=at(7, 12), open_days=WEEKDAYS)

        assert schedule.next == DueTime(at(9), at(9))
        assert schedule.armed_from is None


class TestJitter:
    def test_each_due_time_is_later_by_the_same_length(self) -> None:
        schedule = a_schedule(Cron("* * * * *"), jitter=30 * SECOND)

        offsets = {due.due_at - due.scheduled_for for due in islice(schedule.upcoming(NOON), 100)}

        assert len(offsets) == 1
        assert timedelta(0) <= offsets.pop() <= 30 * SECOND

    def test_schedules_are_spread_over_all_of_it(self) -> None:
        offsets = [
            due.due_at - due.scheduled_for for due in (a_schedule(jitter=10 * SECOND).next for _ in range(300)) if due
        ]

        assert min(offsets) < SECOND
        assert max(offsets) > 9 * SECOND
        assert 4 * SECOND < sum(offsets, timedelta(0)) / 300 < 6 * SECOND

    def test_it_is_due_no_sooner(self) -> None:
        schedule = a_schedule(jitter=30 * SECOND)
        assert schedule.next is not None

        assert not schedule.is_due(schedule.next.due_at - JUST)
        assert schedule.decide(schedule.next.due_at).fire == (DueTime(NOON, NOON + schedule._spread),)

    def test_what_is_still_to_come_when_it_changes_comes_with_the_new_one(self) -> None:
        schedule = a_schedule(jitter=30 * SECOND, schedule_id=next(_ids_with_a_late_spread()))

        schedule.change(replace(schedule.definition, jitter=timedelta(0)), now=NOON + SECOND)

        assert schedule.next == DueTime(NOON, NOON)

    def test_a_catch_up_keeps_it(self) -> None:
        schedule = a_schedule(jitter=30 * SECOND, policy=MisfirePolicy.FIRE_ALL)
        catch_up = schedule.decide(NOON + 3 * MINUTE).catch_up
        assert catch_up is not None

        assert list(schedule.due_times_of(catch_up)) == [
            DueTime(NOON + n * MINUTE, NOON + n * MINUTE + schedule._spread) for n in range(catch_up.span.count)
        ]


def _ids_with_a_late_spread():  # type: ignore[no-untyped-def]  # an endless generator of schedule ids
    while True:
        schedule = a_schedule(jitter=30 * SECOND)
        if schedule._spread > 2 * SECOND:
            yield schedule.id


class TestHowManyCanBeMoved:
    """The due times of a closed year would all land on one day."""

    MOVING = tuple(each for each in OnClosed if each is not OnClosed.SKIP)

    @pytest.mark.parametrize("on_closed", MOVING)
    @pytest.mark.parametrize("trigger", [Cron("*/30 * * * *"), FixedRate(MINUTE), Cron("* 9 1 1 *")])
    def test_what_is_due_more_than_hourly_is_refused(self, on_closed: OnClosed, trigger: Trigger) -> None:
        with pytest.raises(InvalidError, match=r"calendar\.onClosed: at most 24 due times a day"):
            on(WEEKDAYS, on_closed, trigger)

    @pytest.mark.parametrize("on_closed", MOVING)
    def test_what_is_due_each_hour_may_be(self, on_closed: OnClosed) -> None:
        assert on(WEEKDAYS, on_closed, Cron("0 * * * *")).next is not None

    def test_so_may_all_that_is_only_closed(self) -> None:
        assert on(WEEKDAYS, OnClosed.SKIP, Cron("* * * * *")).next is not None

    def test_a_change_of_the_trigger_or_of_the_calendars_rule_is_judged_as_well(self) -> None:
        dense, moved = on(WEEKDAYS, OnClosed.SKIP, Cron("* * * * *")), on(WEEKDAYS, OnClosed.NEXT_OPEN)

        with pytest.raises(InvalidError, match="onClosed"):
            dense.change(replace(dense.definition, calendar=moved.definition.calendar), now=MONDAY, open_days=WEEKDAYS)
        with pytest.raises(InvalidError, match="onClosed"):
            moved.change(replace(moved.definition, trigger=Cron("* * * * *")), now=MONDAY, open_days=WEEKDAYS)


class TestWhatNeverOpens:
    """The horizon is a clear answer, and soon told."""

    YEARS = CalendarDefinition(
        name="x",
        holidays=(PublicHolidays("DE", "BY"),),
        closures=(Closure(date(2025, 1, 1), date(2080, 1, 1), "gone"),),
    )
    DAYTIME = CalendarDefinition(name="x", opening_hours=(OpeningHours(frozenset(Weekday), time(9), time(17)),))

    @pytest.mark.parametrize("on_closed", OnClosed)
    @pytest.mark.parametrize(
        ("calendar", "cron"), [(YEARS, "0 0 29 2 *"), (YEARS, "0 * * * *"), (DAYTIME, "*/10 20-23 * * *")]
    )
    def test_an_endless_rule_of_which_nothing_is_left_is_refused(
        self, on_closed: OnClosed, calendar: CalendarDefinition, cron: str
    ) -> None:
        with pytest.raises(InvalidError, match=r"calendar\.calendarId: leaves nothing of the trigger"):
            on(OpenDays(calendar), on_closed, Cron(cron))

    def test_also_what_comes_often(self) -> None:
        with pytest.raises(InvalidError, match="leaves nothing"):
            on(OpenDays(self.YEARS), OnClosed.SKIP, Cron("* * * * *"))

    @pytest.mark.parametrize("on_closed", OnClosed)
    def test_so_is_a_change_to_such_a_calendar(self, on_closed: OnClosed) -> None:
        schedule = on(WEEKDAYS, OnClosed.SKIP)
        wanted = replace(schedule.definition, calendar=CalendarRule(CalendarId(next_id()), on_closed))

        with pytest.raises(InvalidError, match="leaves nothing"):
            schedule.change(wanted, now=MONDAY, open_days=OpenDays(self.YEARS))

    def test_a_rule_with_an_end_may_come_to_nothing(self) -> None:
        for trigger in (OneShot(at(3)), Rrule("FREQ=DAILY;COUNT=3")):
            assert on(OpenDays(self.YEARS), OnClosed.SKIP, trigger).next is None

    def test_a_calendar_that_closes_for_good_later_leaves_nothing_and_refuses_nothing(self) -> None:
        schedule = on(WEEKDAYS, OnClosed.SKIP)

        schedule.recalendar(OpenDays(self.YEARS), now=MONDAY)

        assert (schedule.next, schedule.enabled) == (None, True)


@contextmanager
def what_is_refused_left_out() -> Iterator[None]:
    """A calendar may leave nothing of an endless rule."""
    try:
        yield
    except InvalidError:
        reject()


@st.composite
def calendars(draw: st.DrawFn) -> OpenDays:
    first = draw(st.dates(date(2026, 2, 20), date(2026, 4, 10)))
    some = frozenset(draw(st.frozensets(st.sampled_from(Weekday), min_size=1)))
    hours = OpeningHours(some, time(8), time(20))
    included = draw(st.sampled_from([(), (OpenDays(CalendarDefinition(name="in", opening_hours=(hours,))),)]))
    own_hours = draw(st.sampled_from([(), (hours,)]))
    has_hours = bool(own_hours or included)  # with a zone of its own as well, a year is looked at for each day
    return OpenDays(
        CalendarDefinition(
            name="x",
            tz=None if has_hours else draw(st.sampled_from([None, "Asia/Tokyo", "Pacific/Apia"])),
            working_days=draw(st.frozensets(st.sampled_from(Weekday), min_size=1)),
            closures=(Closure(first, first + draw(st.integers(0, 12)) * DAY, "closed"),),
            opening_hours=own_hours,
        ),
        included,
    )


TRIGGERS = [
    Cron("0 */5 * * *"),
    Cron("30 2,9 * * *"),
    Cron("15 18 * * 5,6,0"),
    FixedRate(7 * HOUR, NOON),
    Rrule("FREQ=DAILY;BYHOUR=1,23"),
]
LOW, HIGH = datetime(2026, 3, 10, tzinfo=UTC), datetime(2026, 4, 5, tzinfo=UTC)


def oracle(schedule: Schedule, calendar: OpenDays) -> list[DueTime]:
    """Every instant of the trigger from its creation on, settled, spread and sorted."""
    own = schedule.definition
    assert own.calendar is not None
    zone = load_zone(own.tz)
    ground = Ground(zone, schedule.created_at, open_days=calendar)
    found = []
    for instant in own.trigger.fires_between(schedule.created_at - JUST, HIGH + 60 * DAY, ground):
        landed = settle(instant, zone, calendar, own.calendar.on_closed)
        if landed is not None:
            found.append(DueTime(instant, landed + schedule._spread))
    return sorted(found, key=lambda due: (due.due_at, due.scheduled_for))


@settings(max_examples=40, deadline=None)
@given(
    trigger=st.sampled_from(TRIGGERS),
    calendar=calendars(),
    on_closed=st.sampled_from(OnClosed),
    tz=st.sampled_from(["Europe/Berlin", "UTC", "America/New_York"]),
    jitter=st.sampled_from([timedelta(0), 2 * HOUR]),
    looks=st.lists(st.integers(0, 26 * 24), max_size=6).map(sorted),
)
def test_each_due_time_gets_one_verdict_in_the_order_of_the_oracle(
    trigger: Trigger, calendar: OpenDays, on_closed: OnClosed, tz: str, jitter: timedelta, looks: list[int]
) -> None:
    with what_is_refused_left_out():
        schedule = on(calendar, on_closed, trigger, tz=tz, jitter=jitter, now=LOW, grace=100 * DAY)
    expected = [due for due in oracle(schedule, calendar) if due.due_at <= HIGH]

    decisions = [each for look in [*(LOW + n * HOUR for n in looks), HIGH] for each in decide_all(schedule, look)]

    fired = [due for decision in decisions for due in decision.fire]
    merged = [due for decision in decisions for due in decision.merged]
    assert sorted([*fired, *merged], key=lambda due: (due.due_at, due.scheduled_for)) == expected
    assert len({due.due_at for due in fired}) == len(fired)
    assert fired == sorted(fired, key=lambda due: due.due_at)


@settings(max_examples=40, deadline=None)
@given(
    trigger=st.sampled_from(TRIGGERS),
    first=calendars(),
    second=calendars(),
    places=st.tuples(st.sampled_from(OnClosed), st.sampled_from(OnClosed)),
    turn=st.integers(1, 20 * 24),
)
def test_over_a_change_of_the_calendar_nothing_is_decided_twice_and_nothing_lost(
    trigger: Trigger, first: OpenDays, second: OpenDays, places: tuple[OnClosed, OnClosed], turn: int
) -> None:
    changed_at = LOW + turn * HOUR
    with what_is_refused_left_out():
        schedule = on(first, places[0], trigger, now=LOW, grace=100 * DAY, tz="Europe/Berlin")
    before = oracle(schedule, first)
    decisions = decide_all(schedule, changed_at)

    definition = replace(schedule.definition, calendar=CalendarRule(CALENDAR, places[1]))
    if definition == schedule.definition:
        schedule.recalendar(second, now=changed_at)
    else:
        with what_is_refused_left_out():
            schedule.change(definition, now=changed_at, open_days=second)
    decisions += decide_all(schedule, HIGH)

    decided = [due.scheduled_for for each in decisions for due in (*each.fire, *each.merged)]
    early = {due.scheduled_for for due in before if due.due_at <= changed_at}
    shut = {each for each in _instants(trigger, schedule, first) if each <= changed_at} - {
        due.scheduled_for for due in before
    }
    later = {due.scheduled_for for due in oracle(schedule, second) if due.due_at <= HIGH}
    assert len(decided) == len(set(decided))
    if places[0] is OnClosed.SKIP:  # what lay before the change is decided with it
        later = {each for each in later if each > changed_at} | {each for each in later if each in early}
    assert set(decided) == early | (later - shut)


def _instants(trigger: Trigger, schedule: Schedule, calendar: OpenDays) -> set[datetime]:
    ground = Ground(load_zone(schedule.definition.tz), schedule.created_at, open_days=calendar)
    return set(trigger.fires_between(LOW - JUST, HIGH + 60 * DAY, ground))


def test_ten_thousand_schedules_on_one_calendar_work_it_out_once() -> None:
    before = _landings.cache_info().misses

    for _ in range(10_000):
        on(WEEKDAYS, OnClosed.NEXT_OPEN, Cron("17 * * * *"))

    assert _landings.cache_info().misses - before <= 2
