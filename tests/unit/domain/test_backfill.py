"""Which due times of the past a backfill fills in, and how it goes on."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.support.builders import ACME, DAY, HOUR, MINUTE, NOON, SECOND, a_schedule, a_schedule_definition, next_id

from rota.domain.backfill import MOST_CONCURRENT, Backfill, BackfillState, Reign, in_calendars, past_due
from rota.domain.calendars.definition import MONDAY_TO_FRIDAY, CalendarDefinition, Weekday
from rota.domain.calendars.history import CalendarHistory
from rota.domain.calendars.settling import OnClosed
from rota.domain.errors import ConflictError, InvalidError, TransitionError
from rota.domain.ids import BackfillId, CalendarId, RunId, ScheduleId
from rota.domain.overlap import Overlap
from rota.domain.run_events import Cause
from rota.domain.schedule import Schedule
from rota.domain.schedule_definition import CalendarRule
from rota.domain.trigger import FixedDelay, FixedRate, OneShot, OnEvent

HALF = 30 * SECOND


def a_backfill(since: datetime = NOON, until: datetime = NOON + HOUR, **more: Any) -> Backfill:
    return Backfill.ask(
        ACME,
        BackfillId(next_id()),
        ScheduleId(next_id()),
        since=since,
        until=until,
        max_concurrent=more.pop("max_concurrent", 10),
        now=more.pop("now", NOON + DAY),
    )


def minutes(*reigns: Reign, since: float = 0, until: float = 60, by: float = 60) -> list[float]:
    found = past_due(reigns, NOON + since * MINUTE, NOON + until * MINUTE, NOON + by * MINUTE)
    return [(past.scheduled_for - NOON) / MINUTE for past in found]


def reign(since: float, until: float | None = None, *, schedule: Schedule | None = None, **more: Any) -> Reign:
    ends = None if until is None else NOON + until * MINUTE
    return Reign(schedule=schedule or a_schedule(), since=NOON + since * MINUTE, until=ends, **more)


def every(minutes: float, **more: Any) -> Schedule:
    return a_schedule(FixedRate(minutes * MINUTE, NOON), **more)


class TestTheStretch:
    def test_has_its_beginning_and_not_its_end(self) -> None:
        assert minutes(reign(0), since=2, until=5) == [2, 3, 4]

    def test_lies_in_the_past(self) -> None:
        with pytest.raises(InvalidError) as caught:
            a_backfill(NOON, NOON + HOUR, now=NOON + HOUR - SECOND)

        assert caught.value.faults[0].field == "to"

    def test_may_end_now(self) -> None:
        assert a_backfill(NOON, NOON + HOUR, now=NOON + HOUR).state is BackfillState.RUNNING

    @pytest.mark.parametrize("until", [NOON, NOON - SECOND])
    def test_ends_after_it_begins(self, until: datetime) -> None:
        with pytest.raises(InvalidError, match="to: must be later than from"):
            a_backfill(NOON, until)

    @pytest.mark.parametrize("count", [0, -1, MOST_CONCURRENT + 1])
    def test_is_filled_in_by_a_bounded_number_of_runs_at_a_time(self, count: int) -> None:
        with pytest.raises(InvalidError, match="maxConcurrent"):
            a_backfill(max_concurrent=count)

    def test_that_lies_before_the_schedule_was_made_has_no_due_times(self) -> None:
        with pytest.raises(InvalidError, match=r"to: must be later than the schedule's creation, 2026-03-02T12:00:00Z"):
            a_backfill(NOON - HOUR, NOON).check(a_schedule(), None)

    def test_of_which_runs_were_removed_cannot_be_judged_any_more(self) -> None:
        with pytest.raises(InvalidError, match="from: must be later than 2026-03-02T12:00:00Z"):
            a_backfill().check(a_schedule(), NOON)

        a_backfill(NOON + SECOND).check(a_schedule(), NOON)

    @pytest.mark.parametrize("trigger", [FixedDelay(MINUTE), OnEvent("orders.paid")])
    def test_has_none_where_no_clock_tells_the_due_times(self, trigger: Any) -> None:
        with pytest.raises(ConflictError, match=trigger.kind):
            a_backfill().check(a_schedule(trigger), None)


class TestDueTimes:
    def test_are_those_of_the_definition_that_was_in_force(self) -> None:
        assert minutes(reign(0, 4, schedule=every(1)), reign(4, schedule=every(5)), until=20) == [0, 1, 2, 3, 5, 10, 15]

    def test_at_the_moment_of_a_change_are_the_new_ones(self) -> None:
        found = list(past_due([reign(0, 5), later := reign(5)], NOON + 5 * MINUTE, NOON + 6 * MINUTE, NOON + HOUR))

        assert [past.then for past in found] == [later.schedule]

    def test_before_the_creation_there_are_none(self) -> None:
        assert minutes(reign(3), until=5) == [3, 4]

    def test_of_a_disabled_stretch_are_there(self) -> None:
        assert minutes(reign(0, 2, schedule=a_schedule(enabled=False)), reign(2), until=4) == [0, 1, 2, 3]

    def test_after_the_deletion_there_are_none(self) -> None:
        assert minutes(reign(0, 2), reign(2, is_deleted=True)) == [0, 1]

    def test_that_nobody_had_to_heed_yet_are_left_alone(self) -> None:
        assert minutes(reign(0), by=3) == [0, 1, 2]

    def test_keep_the_bounds_of_the_definition(self) -> None:
        bounded = a_schedule(start_at=NOON + 2 * MINUTE, end_at=NOON + 4 * MINUTE)

        assert minutes(reign(0, schedule=bounded)) == [2, 3]

    def test_of_other_triggers_between_are_passed_over(self) -> None:
        reigns = [reign(0, 2), reign(2, 4, schedule=a_schedule(FixedDelay(MINUTE))), reign(4)]

        assert minutes(*reigns, until=6) == [0, 1, 4, 5]


class TestMaxRuns:
    def spent(self) -> Schedule:
        schedule = a_schedule(max_runs=2)
        schedule.runs_made = 2
        return schedule

    def test_that_is_full_leaves_no_due_times_behind_the_last_on_record(self) -> None:
        assert minutes(reign(0, schedule=self.spent(), recorded_to=NOON + 3 * MINUTE)) == [0, 1, 2, 3]

    def test_that_is_full_leaves_none_where_none_is_on_record(self) -> None:
        assert minutes(reign(0, 3, schedule=self.spent())) == []

    def test_that_is_not_full_changes_nothing(self) -> None:
        assert minutes(reign(0, schedule=a_schedule(max_runs=2)), until=3) == [0, 1, 2]


class TestOneShot:
    def test_is_due_also_if_its_instant_lay_before_it_was_made(self) -> None:
        schedule = a_schedule(OneShot(NOON - HOUR), now=NOON)
        schedule.decide(NOON)

        assert minutes(reign(0, schedule=schedule), since=-100) == [-60]

    def test_that_still_waits_in_a_disabled_schedule_is_left_to_it(self) -> None:
        schedule = a_schedule(OneShot(NOON + MINUTE), enabled=False)

        assert minutes(reign(0, schedule=schedule)) == []

    def test_that_was_moved_before_its_time_was_no_due_time(self) -> None:
        was = a_schedule(OneShot(NOON + 10 * MINUTE))

        assert minutes(reign(0, 5, schedule=was), reign(5)) == list(range(5, 60))


class TestCalendars:
    """Daily at noon from a Monday on; `minutes` are days here."""

    def days(self, on_closed: OnClosed, *changes: tuple[int, frozenset[Weekday]], by: int = 30) -> list[int]:
        calendar_id = CalendarId(next_id())
        said = [(NOON + day * DAY, CalendarDefinition(name="x", working_days=days)) for day, days in changes]
        schedule = a_schedule(FixedRate(DAY, NOON), calendar=CalendarRule(calendar_id, on_closed))
        reigns = in_calendars([reign(0, schedule=schedule)], CalendarHistory({calendar_id: said}))
        return [(past.scheduled_for - NOON) // DAY for past in past_due(reigns, NOON, NOON + 14 * DAY, NOON + by * DAY)]

    def test_close_due_times(self) -> None:
        assert self.days(OnClosed.SKIP, (0, MONDAY_TO_FRIDAY)) == [0, 1, 2, 3, 4, 7, 8, 9, 10, 11]

    def test_move_several_due_times_to_one_instant_that_has_one_run(self) -> None:
        assert self.days(OnClosed.NEXT_OPEN, (0, MONDAY_TO_FRIDAY)) == [0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12]
        assert self.days(OnClosed.PREVIOUS_OPEN, (0, MONDAY_TO_FRIDAY)) == [0, 1, 2, 3, 4, 7, 8, 9, 10, 11]

    def test_judge_as_they_were_then(self) -> None:
        days = self.days(OnClosed.SKIP, (0, MONDAY_TO_FRIDAY), (7, frozenset({Weekday.MO, Weekday.SU})))

        assert days == [0, 1, 2, 3, 4, 7, 13]

    def test_may_have_moved_a_due_time_to_where_it_is_still_to_come(self) -> None:
        assert self.days(OnClosed.NEXT_OPEN, (0, MONDAY_TO_FRIDAY), by=6) == [0, 1, 2, 3, 4]

    def test_include_others_that_changed(self) -> None:
        own, other = CalendarId(next_id()), CalendarId(next_id())
        history = CalendarHistory(
            {
                own: [(NOON, CalendarDefinition(name="own", working_days=frozenset(Weekday), includes=(other,)))],
                other: [
                    (NOON, CalendarDefinition(name="other", working_days=frozenset(Weekday))),
                    (NOON + 3 * DAY, CalendarDefinition(name="other", working_days=frozenset({Weekday.FR}))),
                ],
            }
        )
        schedule = a_schedule(FixedRate(DAY, NOON), calendar=CalendarRule(own))

        reigns = list(in_calendars([reign(0, schedule=schedule)], history))

        assert [(each.since, each.until) for each in reigns] == [
            (NOON, NOON + 3 * DAY),
            (NOON + 3 * DAY, None),
        ]
        found = past_due(reigns, NOON, NOON + 7 * DAY, NOON + 30 * DAY)
        assert [(past.scheduled_for - NOON) // DAY for past in found] == [0, 1, 2, 4]


class TestTheRuns:
    def test_are_of_cause_backfill_for_the_due_time_and_due_now(self) -> None:
        backfill, now = a_backfill(), NOON + DAY
        (past,) = past_due([reign(0)], NOON, NOON + MINUTE, now)

        run = backfill.run_for(past, RunId(next_id()), now=now).accept()

        assert (run.cause, run.scheduled_for, run.due_at, run.fired_at) == (Cause.BACKFILL, NOON, now, now)
        assert (run.correlation_id, run.is_awaited) == (str(backfill.id), True)
        assert run.rank == now

    def test_have_what_the_definition_of_their_time_says(self) -> None:
        was, now = a_schedule(labels={"v": "1"}), NOON + DAY
        (past,) = past_due([reign(0, 5, schedule=was), reign(5)], NOON, NOON + MINUTE, now)

        run = a_backfill().run_for(past, RunId(next_id()), now=now)

        assert run.labels == {"v": "1"}

    def test_do_not_count_towards_max_runs(self) -> None:
        schedule = a_schedule(max_runs=5)
        (past,) = past_due([reign(0, schedule=schedule)], NOON, NOON + MINUTE, NOON + DAY)

        a_backfill().run_for(past, RunId(next_id()), now=NOON + DAY)

        assert schedule.runs_left == 5


class TestItsPace:
    @pytest.mark.parametrize(("unfinished", "room"), [(0, 3), (2, 1), (3, 0), (9, 0)])
    def test_so_many_runs_are_unfinished_at_a_time(self, unfinished: int, room: int) -> None:
        assert a_backfill(max_concurrent=3).may_make(unfinished, Overlap.ALLOW) == room

    @pytest.mark.parametrize("overlap", [each for each in Overlap if each is not Overlap.ALLOW])
    def test_one_where_runs_may_not_overlap_and_none_beside_another(self, overlap: Overlap) -> None:
        assert a_backfill().may_make(0, overlap) == 1
        assert a_backfill().may_make(1, overlap) == 0

    def test_none_once_it_is_over(self) -> None:
        backfill = a_backfill()
        backfill.cancel("", NOON + DAY)

        assert backfill.may_make(0, Overlap.ALLOW) == 0


class TestItsEnd:
    def test_comes_at_once_with_nothing_to_do(self) -> None:
        backfill = a_backfill()

        backfill.take(0)

        assert (backfill.state, backfill.finished_at) == (BackfillState.DONE, backfill.created_at)

    def test_comes_with_the_last_due_time(self) -> None:
        backfill = a_backfill()
        backfill.take(2)

        backfill.advance(NOON, made=1, is_last=False, now=NOON + DAY)
        assert (backfill.state, backfill.goes_on_from) == (BackfillState.RUNNING, NOON + timedelta(microseconds=1))
        backfill.advance(NOON + MINUTE, made=1, is_last=True, now=NOON + DAY)

        assert (backfill.state, backfill.made, backfill.reason) == (BackfillState.DONE, 2, None)

    def test_tells_if_not_all_have_got_a_run(self) -> None:
        backfill = a_backfill()
        backfill.take(2)

        backfill.advance(None, made=0, is_last=True, now=NOON + DAY)

        assert backfill.reason == "2 got a run elsewhere, or had nobody left to carry them out"

    def test_is_not_left_again(self) -> None:
        backfill = a_backfill()
        backfill.cancel("enough", NOON + DAY)

        with pytest.raises(TransitionError):
            backfill.cancel("", NOON + DAY)
        with pytest.raises(TransitionError):
            backfill.advance(NOON, made=1, is_last=False, now=NOON + DAY)
        assert (backfill.state, backfill.reason) == (BackfillState.CANCELLED, "enough")


def test_two_definitions_that_differ_in_nothing_of_time_are_one_row_of_due_times() -> None:
    named = a_schedule()
    named.definition = a_schedule_definition(name="renamed")

    assert minutes(reign(0, 2.5), reign(2.5, schedule=named), until=5) == [0, 1, 2, 3, 4]
