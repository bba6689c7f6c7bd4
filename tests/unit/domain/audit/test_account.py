"""What is on record is compared with what should be; what may be as it is, is no difference."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time
from typing import Any

import pytest
from tests.support.builders import DAY, HOUR, MINUTE, NOON, SECOND, a_schedule, next_id

from rota.domain.audit.account import MOST, Account, Recorded, Verdict, audit
from rota.domain.calendars.business_days import BusinessDay
from rota.domain.calendars.definition import CalendarDefinition
from rota.domain.calendars.open_days import OpenDays
from rota.domain.calendars.settling import OnClosed
from rota.domain.ids import CalendarId
from rota.domain.misfire import DueTime
from rota.domain.schedule import Schedule
from rota.domain.schedule_definition import CalendarRule
from rota.domain.trigger import Cron, FixedDelay, FixedRate, OnBusinessDay, OneShot, OnEvent

JUST = SECOND / 1_000_000
WEEKDAYS = OpenDays(CalendarDefinition(name="weekdays"))
CALENDAR = CalendarId(next_id())


def at(minute: float) -> datetime:
    return NOON + minute * MINUTE


def ran(*minutes: float, late: Any = SECOND, is_own: bool = True) -> tuple[Recorded, ...]:
    return tuple(Recorded(at(minute), at(minute) + late, is_own) for minute in minutes)


def an_account(
    schedule: Schedule | None = None,
    *,
    runs: Iterable[Recorded] = (),
    covered: Iterable[tuple[float, float]] = (),
    since: float = 0,
    until: float | None = None,
    audited_to: float | None = None,
    horizon: float = 5.5,
    **more: Any,
) -> Account:
    """Minutely from noon; unless told otherwise nothing is undecided up to the horizon."""
    own = schedule or decided()
    return Account(
        schedule=own,
        since=at(since),
        until=None if until is None else at(until),
        audited_to=NOON - JUST if audited_to is None else at(audited_to),
        horizon=at(horizon),
        runs=tuple(runs),
        covered=tuple((at(first), at(last)) for first, last in covered),
        **more,
    )


def decided(trigger: Any = None, *, to: float = 60, version: int = 1, **more: Any) -> Schedule:
    """All is decided up to there."""
    schedule = a_schedule(trigger, **more)
    schedule.next = DueTime(at(to + 1), at(to + 1))
    schedule.version = version
    return schedule


def told(verdict: Verdict) -> tuple[list[float], list[float]]:
    return tuple([(each - NOON) / MINUTE for each in found] for found in (verdict.missing, verdict.extra))


NOTHING: tuple[list[float], list[float]] = ([], [])


class TestADifference:
    def test_is_a_due_time_without_a_run_or_a_miss(self) -> None:
        verdict = audit(an_account(runs=ran(1, 2, 4)))

        assert told(verdict) == ([3, 5], [])
        assert (verdict.judged, verdict.audited_to) == (6, at(5.5))

    def test_is_a_run_of_a_due_time_that_is_none(self) -> None:
        assert told(audit(an_account(runs=ran(1, 2, 2.5, 3, 4, 5)))) == ([], [2.5])

    def test_is_told_of_each_definition_by_itself(self) -> None:
        first = an_account(runs=ran(1, 3), until=3.2)
        second = an_account(decided(version=2), runs=ran(4), since=3.2, audited_to=3.1)

        assert told(audit(first)) == ([2], [])
        assert told(audit(second)) == ([5], [])


class TestNoDifference:
    def test_is_what_ran(self) -> None:
        assert told(audit(an_account(runs=ran(1, 2, 3, 4, 5)))) == NOTHING

    def test_is_what_was_missed_or_is_set_aside(self) -> None:
        assert told(audit(an_account(runs=ran(3), covered=[(1, 2), (4, 9)]))) == NOTHING

    def test_is_what_a_backfill_filled_in(self) -> None:
        runs = (*ran(1, 3, 4, 5), *ran(2, 2.5, is_own=False))

        assert told(audit(an_account(runs=sorted(runs, key=lambda run: run.scheduled_for)))) == NOTHING

    def test_is_what_is_not_decided_yet(self) -> None:
        verdict = audit(an_account(decided(to=2), runs=ran(1, 2)))

        assert told(verdict) == NOTHING
        assert verdict.audited_to == at(3) - JUST

    def test_is_what_fell_due_while_it_was_disabled(self) -> None:
        schedule = decided()
        schedule.enabled = False

        assert told(audit(an_account(schedule))) == NOTHING

    def test_is_what_would_have_come_after_the_deletion(self) -> None:
        assert told(audit(an_account(is_deleted=True))) == NOTHING

    def test_is_what_happened_at_the_moment_of_a_change(self) -> None:
        before = an_account(runs=ran(1, 2), until=3)
        after = an_account(decided(version=2), runs=ran(4, 5), since=3, audited_to=2.9)

        assert told(audit(before)) == told(audit(after)) == NOTHING

    def test_is_what_happened_at_the_moment_of_the_creation(self) -> None:
        assert told(audit(an_account(runs=ran(0, 1, 2, 3, 4, 5)))) == NOTHING
        assert told(audit(an_account(runs=ran(1, 2, 3, 4, 5)))) == NOTHING

    def test_is_a_run_that_a_later_definition_made_of_an_earlier_instant(self) -> None:
        late = Recorded(at(2.5), at(30))
        runs = sorted((*ran(1, 2, 3), late), key=lambda run: run.scheduled_for)

        assert told(audit(an_account(runs=runs, until=4))) == NOTHING

    def test_is_what_its_spread_would_have_made_due_after_a_change(self) -> None:
        account = an_account(decided(jitter=2 * MINUTE), runs=ran(1, 2), until=4.5)

        assert told(audit(account)) == NOTHING
        assert told(audit(an_account(decided(jitter=2 * MINUTE), runs=ran(1), until=4.5))) == ([2], [])

    def test_is_a_due_time_behind_the_last_that_max_runs_allows(self) -> None:
        schedule = decided(max_runs=3)
        schedule.runs_made, schedule.next = 3, None

        assert told(audit(an_account(schedule, runs=ran(0, 1, 2)))) == NOTHING
        assert told(audit(an_account(schedule, runs=ran(0, 2)))) == ([1], [])

    def test_is_what_lies_outside_the_bounds_of_the_definition(self) -> None:
        bounded = decided(start_at=at(2), end_at=at(4))

        assert told(audit(an_account(bounded, runs=ran(2, 3)))) == NOTHING

    def test_is_a_one_shot_that_came_late(self) -> None:
        schedule = decided(OneShot(at(2)))
        schedule.next = None

        assert told(audit(an_account(schedule, runs=ran(2, late=HOUR)))) == NOTHING
        assert told(audit(an_account(schedule))) == ([2], [])


class TestItsBound:
    def test_goes_on_where_it_was(self) -> None:
        verdict = audit(an_account(runs=ran(4), audited_to=3))

        assert told(verdict) == ([5], [])
        assert verdict.judged == 2

    def test_takes_no_more_than_so_many_due_times(self) -> None:
        schedule = decided(FixedRate(SECOND, NOON), to=60)
        first = audit(an_account(schedule, runs=ran(*(n / 60 for n in range(MOST + 1))), horizon=50))

        assert told(first) == NOTHING
        assert (first.judged, first.audited_to) == (MOST, NOON + (MOST - 1) * SECOND)

    def test_takes_no_more_than_so_many_where_nothing_is_on_record_either(self) -> None:
        verdict = audit(an_account(decided(FixedRate(SECOND, NOON), to=60), horizon=50))

        assert (verdict.judged, len(verdict.missing)) == (MOST, MOST - 1)

    def test_with_nothing_new_it_stays_where_it_is(self) -> None:
        assert audit(an_account(audited_to=5.5)).audited_to == at(5.5)
        assert audit(an_account(audited_to=7)).audited_to == at(7)


class TestWithoutASecondOpinion:
    @pytest.mark.parametrize("trigger", [FixedDelay(MINUTE), OnEvent("orders.paid")])
    def test_it_says_so_and_goes_on(self, trigger: Any) -> None:
        schedule = a_schedule(trigger)
        schedule.next = None

        verdict = audit(an_account(schedule, runs=ran(1, 2)))

        assert (verdict.is_covered, verdict.audited_to, told(verdict)) == (False, at(5.5), NOTHING)

    def test_as_where_nobody_knows_what_the_calendar_said(self) -> None:
        assert audit(an_account(is_known=False)).is_covered is False


def in_calendar(on_closed: OnClosed, trigger: Any = None, **more: Any) -> Schedule:
    """Daily at noon; the first day is a Monday."""
    calendar = CalendarRule(CALENDAR, on_closed)
    return a_schedule(trigger or Cron("0 12 * * *"), calendar=calendar, open_days=WEEKDAYS, **more)


def days(*numbers: float) -> tuple[float, ...]:
    return tuple(number * 24 * 60 for number in numbers)


class TestInACalendar:
    def test_closed_times_are_no_due_times(self) -> None:
        schedule = in_calendar(OnClosed.SKIP)
        schedule.next = DueTime(NOON + 14 * DAY, NOON + 14 * DAY)
        runs = ran(*days(1, 2, 3, 4, 7, 8))

        assert told(audit(an_account(schedule, runs=runs, horizon=days(8.5)[0]))) == NOTHING
        extra = ran(*days(1, 2, 3, 4, 5, 7, 8))
        assert told(audit(an_account(schedule, runs=extra, horizon=days(8.5)[0]))) == ([], [*days(5)])

    def test_moved_times_are_due_where_they_were_moved_to(self) -> None:
        schedule = in_calendar(OnClosed.NEXT_OPEN)
        schedule.next = DueTime(NOON + 14 * DAY, NOON + 14 * DAY)
        runs = ran(*days(1, 2, 3, 4, 5, 6, 7, 8), late=3 * DAY)

        assert told(audit(an_account(schedule, runs=runs, horizon=days(8.5)[0]))) == NOTHING
        without = ran(*days(1, 2, 3, 4, 6, 7, 8), late=3 * DAY)
        assert told(audit(an_account(schedule, runs=without, horizon=days(8.5)[0]))) == ([*days(5)], [])

    def test_what_was_moved_to_where_it_is_still_to_come_is_waited_for(self) -> None:
        schedule = in_calendar(OnClosed.NEXT_OPEN)
        schedule.next = DueTime(NOON + 5 * DAY, NOON + 7 * DAY)

        verdict = audit(an_account(schedule, runs=ran(*days(1, 2, 3, 4)), horizon=days(6.5)[0]))

        assert told(verdict) == NOTHING
        assert verdict.audited_to == NOON + 5 * DAY - JUST

    def test_business_days_are_counted_anew(self) -> None:
        rule = OnBusinessDay(BusinessDay(day=3, at=time(12)))
        schedule = in_calendar(OnClosed.SKIP, rule)
        schedule.next = DueTime(NOON + 60 * DAY, NOON + 60 * DAY)

        assert told(audit(an_account(schedule, horizon=days(10)[0]))) == ([*days(2)], [])
        assert told(audit(an_account(schedule, runs=ran(*days(2)), horizon=days(10)[0]))) == NOTHING
