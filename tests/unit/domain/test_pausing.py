"""A schedule rests for a while: what fell due meanwhile is neither run nor missed, unless somebody wants it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.builders import DAY, HOUR, MINUTE, NOON, SECOND, a_schedule, a_schedule_definition, next_id

from rota.domain.calendars.definition import CalendarDefinition, OpeningHours, Weekday
from rota.domain.calendars.open_days import OpenDays
from rota.domain.calendars.settling import OnClosed
from rota.domain.decision import Decision
from rota.domain.errors import InvalidError
from rota.domain.ids import CalendarId
from rota.domain.misfire import DueTime, MisfirePolicy, Span
from rota.domain.overlap import Going, Overlap
from rota.domain.pause import MakeUp
from rota.domain.schedule import Schedule
from rota.domain.schedule_definition import CalendarRule
from rota.domain.schedule_events import ScheduleDisabled, ScheduleEnabled
from rota.domain.trigger import Cron, FixedDelay, FixedRate, OneShot, OnEvent, Trigger
from rota.domain.walk import MOST_MADE_UP

CALENDAR = CalendarId(next_id())
WEEKDAYS = OpenDays(CalendarDefinition(name="weekdays"))
LATER = NOON + HOUR


def resting(trigger: Trigger | None = None, **more: object) -> Schedule:
    """Since just before NOON."""
    schedule = a_schedule(trigger, now=NOON - SECOND, **more)
    schedule.disable("", now=NOON - SECOND)
    schedule.pull_events()
    return schedule


def in_calendar(on_closed: OnClosed, **more: object) -> Schedule:
    """Daily at nine; NOON is on a Monday."""
    return resting(Cron("0 9 * * *"), calendar=CalendarRule(CALENDAR, on_closed), open_days=WEEKDAYS, **more)


def made_up(schedule: Schedule, wanted: MakeUp, now: datetime = LATER, going: Going | None = None) -> Decision:
    return schedule.enable("", now=now, make_up=wanted, going=going or Going())


def at(day: int) -> datetime:
    return datetime(2026, 3, day, 9, tzinfo=UTC)


def days(due: tuple[DueTime, ...]) -> list[int]:
    return [each.scheduled_for.day for each in due]


class TestNothingIsWanted:
    def test_nothing_is_decided(self) -> None:
        schedule = resting()

        assert made_up(schedule, MakeUp.NONE) == Decision()
        assert schedule.next == DueTime(LATER, LATER)

    def test_what_a_calendar_moved_into_the_pause_is_not_due_either(self) -> None:
        schedule = in_calendar(OnClosed.PREVIOUS_OPEN)
        saturday = at(7) - HOUR

        made_up(schedule, MakeUp.NONE, saturday)

        assert schedule.next == DueTime(at(9), at(9))


class TestTheLast:
    def test_it_runs_at_once(self) -> None:
        schedule = resting()

        decision = made_up(schedule, MakeUp.LAST, LATER + SECOND)

        assert decision == Decision(fire=(DueTime(LATER, LATER),))
        assert schedule.next == DueTime(LATER + MINUTE, LATER + MINUTE)
        assert (schedule.runs_made, schedule.last_fire_at) == (1, LATER + SECOND)

    @pytest.mark.parametrize("policy", [*MisfirePolicy])
    def test_whatever_is_said_of_misfires(self, policy: MisfirePolicy) -> None:
        schedule = resting(FixedRate(HOUR, NOON), policy=policy, catchup_window=SECOND)

        decision = made_up(schedule, MakeUp.LAST, LATER + HOUR / 2)

        assert [each.scheduled_for for each in decision.fire] == [LATER]

    def test_of_a_long_pause_it_is_found_too(self) -> None:
        schedule = resting(Cron("* * * 3 *"))
        years = datetime(2036, 7, 1, tzinfo=UTC)

        (due,) = made_up(schedule, MakeUp.LAST, years).fire

        assert due.scheduled_for == datetime(2036, 3, 31, 23, 59, tzinfo=UTC)

    def test_with_what_is_merged_into_it(self) -> None:
        schedule = in_calendar(OnClosed.NEXT_OPEN)

        decision = made_up(schedule, MakeUp.LAST, at(9) + HOUR)

        assert (days(decision.fire), days(decision.merged)) == ([7], [8, 9])
        assert schedule.next == DueTime(at(10), at(10))

    def test_nothing_where_nothing_fell_due(self) -> None:
        schedule = resting(FixedRate(DAY, NOON + DAY))

        assert made_up(schedule, MakeUp.LAST) == Decision()
        assert schedule.next == DueTime(NOON + DAY, NOON + DAY)

    def test_it_is_arranged_among_the_runs_that_go(self) -> None:
        decision = made_up(resting(overlap=Overlap.SKIP), MakeUp.LAST, going=Going(unfinished=1, running=1))

        assert [each.scheduled_for for each in decision.skip] == [LATER]
        assert decision.fire == ()


class TestAll:
    def test_they_are_set_aside_to_be_made_behind_live_work(self) -> None:
        schedule = resting()

        decision = made_up(schedule, MakeUp.ALL, LATER + SECOND)

        assert decision.fire == ()
        assert decision.catch_up is not None
        assert decision.catch_up.span == Span(NOON, LATER, 61)
        assert (decision.miss, schedule.runs_made) == (None, 61)
        assert list(schedule.due_times_of(decision.catch_up))[-1] == DueTime(LATER, LATER)
        assert schedule.next == DueTime(LATER + MINUTE, LATER + MINUTE)

    def test_no_more_than_the_schedule_may_make(self) -> None:
        decision = made_up(resting(max_runs=3), MakeUp.ALL)

        assert decision.catch_up is not None
        assert decision.catch_up.span == Span(NOON, NOON + 2 * MINUTE, 3)

    def test_what_a_calendar_may_change_is_not_set_aside(self) -> None:
        decision = made_up(in_calendar(OnClosed.NEXT_OPEN), MakeUp.ALL, at(10))

        assert decision.catch_up is None
        assert days(decision.fire) == [3, 4, 5, 6, 7, 10]
        assert days(decision.merged) == [8, 9]

    def test_what_was_skipped_stays_skipped(self) -> None:
        schedule = a_schedule(FixedRate(HOUR, NOON), now=NOON - SECOND)
        schedule.skip(1, "", now=NOON - SECOND)
        schedule.disable("", now=NOON - SECOND)

        decision = made_up(schedule, MakeUp.ALL, NOON + 3 * HOUR)

        assert decision.catch_up is not None
        assert decision.catch_up.span == Span(NOON + HOUR, NOON + 3 * HOUR, 3)

    def test_more_than_can_be_made_up_for_are_refused(self) -> None:
        schedule = resting(FixedRate(SECOND, NOON))

        with pytest.raises(InvalidError, match="catchUp: more than 50,000 due times fell due while it was disabled"):
            made_up(schedule, MakeUp.ALL, NOON + MOST_MADE_UP * SECOND)

    def test_one_that_waits_for_its_spread_still_comes(self) -> None:
        spread = a_schedule(FixedRate(HOUR, NOON), jitter=30 * MINUTE, now=NOON - SECOND)
        length = spread.next.due_at - NOON if spread.next else timedelta(0)
        spread.disable("", now=NOON - SECOND)

        decision = made_up(spread, MakeUp.ALL, LATER + length / 2)

        assert decision.catch_up is not None
        assert decision.catch_up.span == Span(NOON, NOON, 1)
        assert spread.next == DueTime(LATER, LATER + length)


class TestThePause:
    @pytest.mark.parametrize("wanted", [MakeUp.LAST, MakeUp.ALL])
    def test_another_name_meanwhile_does_not_shorten_it(self, wanted: MakeUp) -> None:
        schedule = resting(FixedRate(HOUR, NOON))

        schedule.change(a_schedule_definition(FixedRate(HOUR, NOON), name="another"), now=NOON + HOUR / 2)
        decision = made_up(schedule, MakeUp.ALL, NOON + 2 * HOUR)

        assert decision.catch_up is not None
        assert decision.catch_up.span == Span(NOON, NOON + 2 * HOUR, 3)

    def test_another_trigger_does(self) -> None:
        schedule = resting(FixedRate(HOUR, NOON))

        schedule.change(a_schedule_definition(FixedRate(HOUR / 2, NOON)), now=NOON + SECOND)
        decision = made_up(schedule, MakeUp.ALL)

        assert decision.catch_up is not None
        assert decision.catch_up.span == Span(NOON + HOUR / 2, LATER, 2)

    def test_nor_does_a_calendar_that_changes(self) -> None:
        schedule = in_calendar(OnClosed.SKIP)
        always = CalendarDefinition(name="x", working_days=frozenset(Weekday))

        schedule.recalendar(OpenDays(always), now=at(5) + HOUR)
        decision = made_up(schedule, MakeUp.ALL, at(9) + HOUR)

        assert days(decision.fire) == [3, 4, 5, 6, 7, 8, 9]

    @pytest.mark.parametrize("wanted", [MakeUp.LAST, MakeUp.ALL])
    def test_a_one_shot_is_made_up_for_once(self, wanted: MakeUp) -> None:
        schedule = resting(OneShot(NOON), policy=MisfirePolicy.SKIP)

        decision = made_up(schedule, wanted)

        assert decision.count == 1
        assert schedule.next is None

    @pytest.mark.parametrize("trigger", [FixedDelay(HOUR), OnEvent("topic.acme.orders")])
    def test_of_some_triggers_nobody_knows_what_fell_due(self, trigger: Trigger) -> None:
        with pytest.raises(InvalidError, match=f"catchUp: has no meaning with a trigger of kind {trigger.kind}"):
            made_up(resting(trigger), MakeUp.ALL)

    def test_the_end_is_recorded_with_what_was_wanted(self) -> None:
        schedule = resting()

        schedule.enable("back", now=LATER, make_up=MakeUp.ALL)

        (event,) = schedule.pull_events()
        assert isinstance(event, ScheduleEnabled)
        assert (event.make_up, event.reason, event.version) == (MakeUp.ALL, "back", 3)

    def test_one_that_does_not_rest_decides_nothing(self) -> None:
        assert a_schedule().enable("", now=LATER, make_up=MakeUp.ALL) == Decision()

    @given(
        st.sampled_from([*OnClosed, None]),
        st.integers(0, 3600),
        st.integers(1, 20 * 24),
        st.integers(1, 20 * 24),
    )
    def test_last_is_the_last_of_all(self, on_closed: OnClosed | None, jitter: int, since: int, hours: int) -> None:
        opening = OpeningHours(frozenset(Weekday), datetime.min.time().replace(6), datetime.min.time().replace(20))
        calendar = OpenDays(CalendarDefinition(name="x", opening_hours=(opening,)))
        rule = None if on_closed is None else CalendarRule(CALENDAR, on_closed)
        schedule = a_schedule(
            Cron("40 */5 * * *"), calendar=rule, open_days=calendar if rule else None, jitter=jitter * SECOND
        )
        schedule.disable("", now=NOON + since * HOUR)
        other = replace(schedule, _recorded=[], _laid=None)
        now = NOON + (since + hours) * HOUR

        last = schedule.enable("", now=now, make_up=MakeUp.LAST)
        every = other.enable("", now=now, make_up=MakeUp.ALL)

        found = every.fire if rule else tuple(other.due_times_of(every.catch_up) if every.catch_up else ())
        assert last.fire == found[-1:]
        assert schedule.next == other.next
        assert list(islice(schedule.upcoming(now, now), 3)) == list(islice(other.upcoming(now, now), 3))


class TestUntil:
    def test_it_goes_on_by_itself_from_then_on(self) -> None:
        schedule = a_schedule()
        schedule.disable("", now=NOON, until=LATER)

        schedule.resume(now=LATER + 5 * SECOND)

        assert schedule.enabled
        assert schedule.disabled_until is None
        assert schedule.next == DueTime(LATER, LATER)

    def test_not_before(self) -> None:
        schedule = a_schedule()
        schedule.disable("", now=NOON, until=LATER)

        schedule.resume(now=LATER - SECOND)

        assert not schedule.enabled

    def test_noticed_late_what_fell_due_since_then_is_a_misfire(self) -> None:
        schedule = a_schedule(FixedRate(HOUR, NOON), policy=MisfirePolicy.FIRE_ALL)
        schedule.disable("", now=NOON, until=LATER)

        schedule.resume(now=LATER + 2 * HOUR)
        decision = schedule.decide(LATER + 2 * HOUR)

        assert decision.catch_up is not None
        assert decision.catch_up.span == Span(LATER, LATER + HOUR, 2)
        assert [each.scheduled_for for each in decision.fire] == [LATER + 2 * HOUR]

    @pytest.mark.parametrize("until", [NOON, NOON - SECOND])
    def test_it_lies_ahead(self, until: datetime) -> None:
        with pytest.raises(InvalidError, match="until: must lie in the future"):
            a_schedule().disable("", now=NOON, until=until)

    def test_another_word_of_it_counts_and_the_same_changes_nothing(self) -> None:
        schedule = a_schedule()
        schedule.disable("", now=NOON, until=LATER)
        schedule.disable("", now=NOON, until=LATER)
        schedule.disable("longer", now=NOON, until=LATER + HOUR)
        schedule.disable("for good", now=NOON)

        told = [event for event in schedule.pull_events() if isinstance(event, ScheduleDisabled)]
        assert [event.until for event in told] == [LATER, LATER + HOUR, None]
        assert schedule.version == 4
        schedule.resume(now=LATER + DAY)
        assert not schedule.enabled

    def test_enabling_it_earlier_ends_it(self) -> None:
        schedule = a_schedule()
        schedule.disable("", now=NOON, until=LATER)

        schedule.enable("", now=NOON + MINUTE)

        assert (schedule.enabled, schedule.disabled_until) == (True, None)

    def test_one_that_is_deleted_does_not_come_back(self) -> None:
        schedule = a_schedule()
        schedule.disable("", now=NOON, until=LATER)

        schedule.delete(now=NOON)
        schedule.resume(now=LATER)

        assert not schedule.enabled
