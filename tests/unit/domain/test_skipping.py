"""Fires that somebody wants to be skipped before their turn."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice

import pytest
from tests.support.builders import DAY, HOUR, MINUTE, NOON, SECOND, a_schedule, a_schedule_definition, next_id

from rota.domain.calendars.definition import CalendarDefinition, Closure, Weekday
from rota.domain.calendars.open_days import OpenDays
from rota.domain.calendars.settling import OnClosed
from rota.domain.errors import InvalidError, TransitionError
from rota.domain.ids import CalendarId, RunId
from rota.domain.misfire import DueTime
from rota.domain.run_events import RunState
from rota.domain.schedule import MOST_AHEAD, Schedule
from rota.domain.schedule_definition import CalendarRule
from rota.domain.schedule_events import ScheduleSkipped
from rota.domain.trigger import Cron, FixedDelay, OneShot, OnEvent

WEEKDAYS = OpenDays(CalendarDefinition(name="weekdays"))


def minutes(*counts: int) -> list[datetime]:
    return [NOON + count * MINUTE for count in counts]


def scheduled(due: tuple[DueTime, ...]) -> list[datetime]:
    return [each.scheduled_for for each in due]


def walk(schedule: Schedule, until: datetime) -> list[datetime]:
    """What fires, looked at as each comes."""
    fired: list[datetime] = []
    while schedule.next is not None and schedule.next.due_at <= until:
        fired += scheduled(schedule.decide(schedule.next.due_at).fire)
    return fired


class TestTheNext:
    def test_so_many_do_not_fire_and_the_rest_does(self) -> None:
        schedule = a_schedule()

        skipped = schedule.skip(2, "inventory", now=NOON)

        assert scheduled(skipped) == minutes(0, 1)
        assert walk(schedule, NOON + 4 * MINUTE) == minutes(2, 3, 4)
        assert schedule.runs_made == 3
        assert schedule.ahead == frozenset()

    def test_it_is_recorded(self) -> None:
        schedule = a_schedule()

        schedule.skip(1, "inventory", now=NOON)

        assert schedule.pull_events() == [
            ScheduleSkipped(
                tenant_id=schedule.tenant_id,
                subject=schedule.id,
                at=NOON,
                due_times=(DueTime(NOON, NOON),),
                next_fire_at=NOON + MINUTE,
                reason="inventory",
            )
        ]
        assert schedule.version == 1

    def test_twice_is_further(self) -> None:
        schedule = a_schedule()

        schedule.skip(1, "", now=NOON)

        assert scheduled(schedule.skip(2, "", now=NOON)) == minutes(1, 2)

    def test_more_than_there_are_is_all(self) -> None:
        schedule = a_schedule(end_at=NOON + 2 * MINUTE)

        assert scheduled(schedule.skip(10, "", now=NOON)) == minutes(0, 1)
        assert schedule.next is None

    def test_a_fire_is_skipped_with_all_that_would_be_merged_into_it(self) -> None:
        rule = CalendarRule(CalendarId(next_id()), OnClosed.NEXT_OPEN)
        schedule = a_schedule(Cron("0 9 * * *"), calendar=rule, open_days=WEEKDAYS, now=NOON + 4 * DAY)

        skipped = schedule.skip(1, "", now=NOON + 4 * DAY)

        assert [each.due_at - each.scheduled_for for each in skipped] == [2 * DAY, DAY, 0 * DAY]
        assert schedule.next == DueTime(*[NOON + 8 * DAY - 3 * HOUR] * 2)

    def test_of_a_fixed_delay_only_the_next_is_known(self) -> None:
        schedule = a_schedule(FixedDelay(HOUR))

        with pytest.raises(InvalidError, match="count: a FIXED_DELAY schedule knows only the next of its fires"):
            schedule.skip(2, "", now=NOON)
        skipped = schedule.skip(1, "", now=NOON + SECOND)

        assert scheduled(skipped) == [NOON]
        assert schedule.next == DueTime(*[NOON + SECOND + HOUR] * 2)

    def test_a_one_shot_then_never_fires(self) -> None:
        schedule = a_schedule(OneShot(NOON + HOUR))

        schedule.skip(1, "", now=NOON)

        assert schedule.next is None
        assert walk(schedule, NOON + DAY) == []


class TestAtAnInstant:
    def test_that_one_does_not_fire(self) -> None:
        schedule = a_schedule()

        assert scheduled(schedule.skip(NOON + 2 * MINUTE, "", now=NOON)) == minutes(2)
        assert walk(schedule, NOON + 4 * MINUTE) == minutes(0, 1, 3, 4)

    def test_it_is_the_instant_at_which_it_is_due(self) -> None:
        schedule = a_schedule(jitter=30 * SECOND)
        first, second = islice(schedule.upcoming(NOON), 2)

        skipped = schedule.skip(second.due_at, "", now=NOON)

        assert skipped == (second,)
        assert schedule.next == first

    @pytest.mark.parametrize(
        "at", [NOON - MINUTE, NOON + SECOND, NOON + HOUR, datetime(9990, 1, 1, tzinfo=NOON.tzinfo)]
    )
    def test_one_that_is_none_of_the_fires_to_come_is_refused(self, at: datetime) -> None:
        schedule = a_schedule(end_at=NOON + HOUR)

        with pytest.raises(InvalidError, match="at: is none of the fires to come"):
            schedule.skip(at, "", now=NOON)

    def test_nor_is_one_twice(self) -> None:
        schedule = a_schedule()
        schedule.skip(NOON + MINUTE, "", now=NOON)

        with pytest.raises(InvalidError, match="at"):
            schedule.skip(NOON + MINUTE, "", now=NOON)

    def test_of_a_fixed_delay_it_is_the_next_or_none(self) -> None:
        schedule = a_schedule(FixedDelay(HOUR))

        with pytest.raises(InvalidError, match="at"):
            schedule.skip(NOON + HOUR, "", now=NOON)
        assert scheduled(schedule.skip(NOON, "", now=NOON)) == [NOON]


class TestItStaysSkipped:
    def test_while_the_schedule_gets_another_name(self) -> None:
        schedule = a_schedule()
        schedule.skip(NOON + 2 * MINUTE, "", now=NOON - SECOND)

        schedule.change(a_schedule_definition(name="another"), now=NOON - SECOND)

        assert walk(schedule, NOON + 3 * MINUTE) == minutes(0, 1, 3)

    def test_while_it_gets_another_trigger_that_names_it_too(self) -> None:
        schedule = a_schedule()
        schedule.skip(NOON + 2 * MINUTE, "", now=NOON - SECOND)

        schedule.change(a_schedule_definition(Cron("*/2 * * * *")), now=NOON - SECOND)

        assert walk(schedule, NOON + 5 * MINUTE) == minutes(0, 4)

    def test_while_it_rests(self) -> None:
        schedule = a_schedule()
        schedule.skip(NOON + 2 * MINUTE, "", now=NOON - SECOND)

        schedule.disable("", now=NOON - SECOND)
        schedule.enable("", now=NOON + SECOND)

        assert walk(schedule, NOON + 3 * MINUTE) == minutes(1, 3)

    def test_while_its_calendar_changes(self) -> None:
        always = CalendarDefinition(name="x", working_days=frozenset(Weekday))
        rule = CalendarRule(CalendarId(next_id()))
        schedule = a_schedule(Cron("0 9 * * *"), calendar=rule, open_days=OpenDays(always))
        wednesday = (NOON + 2 * DAY).date()
        closed = CalendarDefinition(
            name="x", working_days=frozenset(Weekday), closures=(Closure(wednesday, wednesday, "Outing"),)
        )

        schedule.skip(1, "", now=NOON)
        schedule.recalendar(OpenDays(closed), now=NOON)

        assert [each.day for each in walk(schedule, NOON + 4 * DAY)] == [5, 6]

    def test_and_counts_towards_no_limit(self) -> None:
        schedule = a_schedule(max_runs=2)

        schedule.skip(3, "", now=NOON)

        assert walk(schedule, NOON + HOUR) == minutes(3, 4)


class TestWhatIsRefused:
    def test_nothing_comes_of_a_disabled_one(self) -> None:
        with pytest.raises(TransitionError, match="is disabled and cannot skip fires"):
            a_schedule(enabled=False).skip(1, "", now=NOON)

    def test_an_event_has_no_due_times(self) -> None:
        with pytest.raises(InvalidError, match="count: has no meaning with a trigger of kind EVENT"):
            a_schedule(OnEvent("topic.acme.orders")).skip(1, "", now=NOON)

    def test_nothing_comes_of_one_that_is_spent(self) -> None:
        schedule = a_schedule(OneShot(NOON))
        schedule.decide(NOON)

        with pytest.raises(InvalidError, match="count: nothing comes"):
            schedule.skip(1, "", now=NOON)

    def test_there_is_a_bound(self) -> None:
        schedule = a_schedule()
        schedule.skip(MOST_AHEAD, "", now=NOON)

        with pytest.raises(InvalidError, match="count: at most 1,000 due times may be skipped before their turn"):
            schedule.skip(1, "", now=NOON)


@pytest.mark.parametrize(("said", "reason"), [("inventory", "inventory"), ("", "SKIPPED")])
def test_its_run_says_why_and_that_nothing_was_fired(said: str, reason: str) -> None:
    schedule = a_schedule()
    (due,) = schedule.skip(1, said, now=NOON - HOUR)

    run = schedule.skipped_run(due, RunId(next_id()), said, now=NOON - HOUR)

    assert (run.state, run.reason, run.scheduled_for, run.fired_at) == (RunState.SKIPPED, reason, NOON, None)
    assert run.finished_at == NOON - timedelta(hours=1)
