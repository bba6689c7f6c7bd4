"""Why a schedule did or will fire at an instant, or not: asked of the whole application, after it has lived."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from tests.support.builders import (
    ACME,
    DAY,
    GLOBEX,
    HOUR,
    MINUTE,
    NOON,
    SECOND,
    a_calendar,
    a_job,
    a_schedule,
    next_id,
)
from tests.unit.application.house import House

from rota.application.catch_up import CatchUpOnce
from rota.application.change_calendar import ChangeCalendar
from rota.application.change_schedule import ChangeSchedule
from rota.application.delete_schedule import DeleteSchedule
from rota.application.disable_schedule import DisableSchedule
from rota.application.drafts import NamedJob, ScheduleDraft
from rota.application.enable_schedule import EnableSchedule
from rota.application.explain_fire import ExplainFire
from rota.application.fire_schedules import FireSchedules
from rota.application.follow_ends import FollowEnds
from rota.application.skip_fires import SkipFires
from rota.domain.calendar import Calendar
from rota.domain.calendars.definition import CalendarDefinition, Closure
from rota.domain.calendars.settling import OnClosed
from rota.domain.errors import NotFoundError
from rota.domain.explaining.explanation import Explanation, Outcome, Rule
from rota.domain.ids import CalendarId, RunId, ScheduleId
from rota.domain.misfire import MisfirePolicy
from rota.domain.overlap import Overlap
from rota.domain.pause import MakeUp
from rota.domain.run import Run
from rota.domain.run_events import Cause
from rota.domain.schedule import Schedule
from rota.domain.schedule_definition import CalendarRule
from rota.domain.trigger import Cron, FixedDelay, FixedRate, OneShot, OnEvent, Trigger
from rota.infrastructure.memory.evidence import InMemoryEvidence

LAST_MOMENT = NOON - SECOND
"""When the schedules here are made: NOON is their first due time."""


async def explain(house: House, schedule: Schedule, at: datetime) -> Explanation:
    ask = ExplainFire(house.reads, InMemoryEvidence(house.store), house.clock)
    return await ask(ACME, schedule.id, at)


async def has(house: House, trigger: Trigger | None = None, **said: object) -> Schedule:
    schedule = a_schedule(trigger, now=LAST_MOMENT, **said)
    await house.has(a_job(), schedule)
    return schedule


async def tick(house: House, by: timedelta = timedelta(0)) -> None:
    house.clock.advance(by)
    while await house.handle(FireSchedules(epoch=1)):
        pass


def rules(explanation: Explanation) -> list[tuple[Rule, Outcome]]:
    return [(step.rule, step.outcome) for step in explanation.steps]


def detail(explanation: Explanation, rule: Rule) -> str:
    (step,) = [step for step in explanation.steps if step.rule is rule]
    return step.detail


class TestWhatHappened:
    async def test_a_run_with_its_lateness_and_its_state(self, house: House) -> None:
        schedule = await has(house)
        await tick(house, timedelta(milliseconds=12))
        run = await house.only_run()

        told = await explain(house, schedule, NOON)

        assert rules(told) == [
            (Rule.DEFINITION, Outcome.PASS),
            (Rule.TRIGGER, Outcome.PASS),
            (Rule.ENABLED, Outcome.PASS),
            (Rule.MISFIRE, Outcome.PASS),
            (Rule.RESULT, Outcome.FIRED),
        ]
        assert detail(told, Rule.MISFIRE) == "handled 12 ms late, within its grace of 30 s"
        assert detail(told, Rule.RESULT) == f"fired, 12 ms late: run {run.id} is QUEUED, attempt 1"
        assert (told.scheduled_for, told.due_at) == (NOON, NOON)

    async def test_a_miss_with_its_rule_and_those_it_is_one_of(self, house: House) -> None:
        schedule = await has(house, policy=MisfirePolicy.SKIP)
        await tick(house, HOUR)

        told = await explain(house, schedule, NOON + 5 * MINUTE)

        assert rules(told)[-2:] == [(Rule.MISFIRE, Outcome.STOP), (Rule.RESULT, Outcome.MISSED)]
        assert "55 min late, beyond its grace of 30 s; policy SKIP does not run it" in detail(told, Rule.MISFIRE)
        assert "one of 60 from 2026-03-02T12:00:00Z to 2026-03-02T12:59:00Z" in detail(told, Rule.RESULT)

    async def test_the_latest_of_a_backlog_that_fire_once_runs(self, house: House) -> None:
        schedule = await has(house)
        await tick(house, HOUR + 45 * SECOND)

        told = await explain(house, schedule, NOON + HOUR)

        assert told.result is Outcome.FIRED
        assert detail(told, Rule.MISFIRE) == "handled 45 s late, beyond its grace of 30 s; policy FIRE_ONCE runs it"

    async def test_what_is_beyond_the_catch_up_window(self, house: House) -> None:
        schedule = await has(house, policy=MisfirePolicy.FIRE_ALL, catchup_window=10 * MINUTE)
        await tick(house, HOUR)

        told = await explain(house, schedule, NOON)

        assert told.result is Outcome.MISSED
        assert "with a catch-up window of 10 min" in detail(told, Rule.MISFIRE)

    async def test_what_is_set_aside_until_its_run_is_made(self, house: House) -> None:
        schedule = await has(house, policy=MisfirePolicy.FIRE_ALL)
        await tick(house, HOUR)

        before = await explain(house, schedule, NOON)
        await house.handle(CatchUpOnce())
        after = await explain(house, schedule, NOON)

        assert (before.result, after.result) == (Outcome.CATCHING_UP, Outcome.FIRED)

    async def test_a_run_that_overlap_skipped(self, house: House) -> None:
        schedule = await has(house, overlap=Overlap.SKIP)
        await tick(house)
        await tick(house, MINUTE)

        told = await explain(house, schedule, NOON + MINUTE)

        assert rules(told)[-2:] == [(Rule.OVERLAP, Outcome.STOP), (Rule.RESULT, Outcome.SKIPPED)]
        assert detail(told, Rule.OVERLAP) == "SKIP: earlier runs of the schedule had not ended"

    async def test_a_run_that_waits_for_an_earlier_one(self, house: House) -> None:
        schedule = await has(house, overlap=Overlap.QUEUE)
        await tick(house)
        await tick(house, MINUTE)

        told = await explain(house, schedule, NOON + MINUTE)

        assert detail(told, Rule.OVERLAP) == "QUEUE, and it waits for earlier runs to end"
        assert told.result is Outcome.FIRED

    async def test_a_due_time_that_nobody_has_decided_yet(self, house: House) -> None:
        schedule = await has(house)
        house.clock.advance(5 * SECOND)

        told = await explain(house, schedule, NOON)

        assert told.steps[-1].outcome is Outcome.OVERDUE
        assert detail(told, Rule.RESULT) == "due 5 s ago, and not decided yet"

    async def test_a_due_time_whose_run_is_not_kept_any_more(self, house: House) -> None:
        schedule = await has(house)
        await tick(house)
        run = await house.only_run()
        del house.store.tables.runs[ACME, run.id], house.store.tables.due_times[ACME, schedule.id, NOON]

        assert (await explain(house, schedule, NOON)).result is Outcome.NO_RECORD

    async def test_what_max_runs_cut_off(self, house: House) -> None:
        schedule = await has(house, max_runs=1)
        await tick(house, SECOND)
        await tick(house, HOUR)

        told = await explain(house, schedule, NOON + MINUTE)

        assert rules(told)[-2:] == [(Rule.MAX_RUNS, Outcome.STOP), (Rule.RESULT, Outcome.NOT_FIRED)]

    async def test_a_run_that_a_backfill_made(self, house: House) -> None:
        schedule = await has(house, enabled=False)
        due = next(iter(schedule.due_times(LAST_MOMENT, NOON)))
        later = NOON + DAY
        await house.has(_backfilled(schedule, due.scheduled_for, later))
        house.clock.set(later)

        told = await explain(house, schedule, NOON)

        assert detail(told, Rule.RESULT).startswith("fired by a backfill at 2026-03-03T12:00:00Z")


def _backfilled(schedule: Schedule, scheduled_for: datetime, now: datetime) -> Run:
    (due,) = schedule.due_times(scheduled_for - SECOND, scheduled_for)
    return schedule.run_for(due, RunId(next_id()), now=now, epoch=None, cause=Cause.BACKFILL).accept()


class TestWhatItWas:
    async def test_before_its_creation_there_was_none(self, house: House) -> None:
        schedule = await has(house)

        told = await explain(house, schedule, NOON - MINUTE)

        assert rules(told) == [(Rule.DEFINITION, Outcome.STOP), (Rule.RESULT, Outcome.NOT_FIRED)]
        assert "created at 2026-03-02T11:59:59Z" in told.steps[0].detail
        assert (told.scheduled_for, told.due_at) == (None, None)

    async def test_a_one_shot_may_be_due_before_its_creation(self, house: House) -> None:
        schedule = await has(house, OneShot(NOON - HOUR))
        await tick(house)

        assert (await explain(house, schedule, NOON - HOUR)).result is Outcome.FIRED

    async def test_while_it_was_disabled_nothing_was_run_or_missed(self, house: House) -> None:
        schedule = await has(house)
        await house.handle(DisableSchedule(tenant_id=ACME, schedule_id=schedule.id))
        house.clock.advance(HOUR)
        await house.handle(EnableSchedule(tenant_id=ACME, schedule_id=schedule.id))

        told = await explain(house, schedule, NOON + MINUTE)

        assert rules(told)[-2:] == [(Rule.ENABLED, Outcome.STOP), (Rule.RESULT, Outcome.NOT_FIRED)]
        assert "disabled from 2026-03-02T12:00:00Z to 2026-03-02T13:00:00Z" in detail(told, Rule.ENABLED)

    async def test_what_fell_due_in_a_pause_and_is_made_up_for(self, house: House) -> None:
        schedule = await has(house)
        await house.handle(DisableSchedule(tenant_id=ACME, schedule_id=schedule.id))
        house.clock.advance(HOUR)
        await house.handle(EnableSchedule(tenant_id=ACME, schedule_id=schedule.id, make_up=MakeUp.ALL))

        aside = await explain(house, schedule, NOON + MINUTE)
        await house.handle(CatchUpOnce())
        told = await explain(house, schedule, NOON + MINUTE)

        assert aside.result is Outcome.CATCHING_UP
        assert rules(told)[-2:] == [(Rule.ENABLED, Outcome.PASS), (Rule.RESULT, Outcome.FIRED)]
        assert "decided all the same" in detail(told, Rule.ENABLED)

    async def test_disabling_cuts_off_what_was_not_yet_due(self, house: House) -> None:
        schedule = await has(house, FixedRate(DAY, NOON), jitter=DAY)
        house.clock.advance(SECOND)
        await house.handle(DisableSchedule(tenant_id=ACME, schedule_id=schedule.id))
        house.clock.advance(2 * DAY)

        told = await explain(house, schedule, NOON)

        assert rules(told)[-2:] == [(Rule.ENABLED, Outcome.STOP), (Rule.RESULT, Outcome.NOT_FIRED)]

    async def test_what_was_skipped_on_demand_says_why(self, house: House) -> None:
        schedule = await has(house)
        skip = SkipFires(tenant_id=ACME, schedule_id=schedule.id, wanted=NOON + HOUR, reason="moving house")
        await house.handle(skip)

        told = await explain(house, schedule, NOON + HOUR)

        assert rules(told)[-2:] == [(Rule.SKIP, Outcome.STOP), (Rule.RESULT, Outcome.SKIPPED)]
        assert detail(told, Rule.SKIP) == "skipped on demand at 2026-03-02T12:00:00Z: moving house"

    async def test_the_definition_of_that_time_is_asked(self, house: House) -> None:
        schedule = await has(house)
        await tick(house)
        house.clock.advance(HOUR)
        await _change(house, schedule, FixedRate(DAY, NOON))

        told = await explain(house, schedule, NOON + MINUTE)

        assert detail(told, Rule.DEFINITION) == (
            "version 1, in force from 2026-03-02T11:59:59Z to 2026-03-02T13:00:00Z"
        )
        assert detail(told, Rule.TRIGGER) == "2026-03-02T12:00:00Z + 1 × 1 min"
        assert told.result is Outcome.MISSED

    async def test_a_change_cuts_off_what_was_not_yet_due(self, house: House) -> None:
        schedule = await has(house, FixedRate(DAY, NOON), jitter=DAY)
        (due,) = schedule.due_times(LAST_MOMENT, NOON)
        assert due.due_at > NOON + SECOND
        house.clock.advance(SECOND)
        await _change(house, schedule, FixedRate(2 * DAY, NOON + HOUR))
        house.clock.advance(DAY)

        told = await explain(house, schedule, NOON)

        assert rules(told)[-2:] == [(Rule.CHANGE, Outcome.STOP), (Rule.RESULT, Outcome.NOT_FIRED)]
        assert "version 2 took over at 2026-03-02T12:00:01Z, before it was due" in detail(told, Rule.CHANGE)

    async def test_a_schedule_that_is_unknown_deleted_or_anothers_is_not_found(self, house: House) -> None:
        schedule = await has(house)
        ask = ExplainFire(house.reads, InMemoryEvidence(house.store), house.clock)
        await house.handle(DeleteSchedule(tenant_id=ACME, schedule_id=schedule.id))

        for tenant, own in ((ACME, schedule.id), (GLOBEX, schedule.id), (ACME, ScheduleId(next_id()))):
            with pytest.raises(NotFoundError):
                await ask(tenant, own, NOON)


async def _change(house: House, schedule: Schedule, trigger: Trigger) -> None:
    draft = ScheduleDraft(name="daily-report", trigger=trigger, target=NamedJob("reports.daily"), tz="UTC")
    await house.handle(ChangeSchedule(tenant_id=ACME, schedule_id=schedule.id, revise=lambda _: draft))


class TestWhatWouldHappen:
    async def test_the_next_due_time_will_fire(self, house: House) -> None:
        schedule = await has(house)
        await tick(house)

        told = await explain(house, schedule, NOON + HOUR)

        assert rules(told)[-1] == (Rule.RESULT, Outcome.WILL_FIRE)
        assert detail(told, Rule.RESULT) == "fires at 2026-03-02T13:00:00Z, in 1 h"

    async def test_another_instant_will_not_and_its_neighbours_are_told(self, house: House) -> None:
        schedule = await has(house)

        told = await explain(house, schedule, NOON + HOUR + SECOND)

        assert rules(told)[-2:] == [(Rule.TRIGGER, Outcome.STOP), (Rule.RESULT, Outcome.WILL_NOT_FIRE)]
        assert "before it 2026-03-02 13:00:00 in UTC, after it 2026-03-02 13:01:00 in UTC" in detail(told, Rule.TRIGGER)

    @pytest.mark.parametrize(
        ("bound", "rule"), [({"start_at": NOON + DAY}, Rule.START_AT), ({"end_at": NOON + MINUTE}, Rule.END_AT)]
    )
    async def test_bounds_are_asked(self, house: House, bound: dict[str, datetime], rule: Rule) -> None:
        schedule = await has(house, **bound)

        assert rules(await explain(house, schedule, NOON + HOUR))[-2:] == [
            (rule, Outcome.STOP),
            (Rule.RESULT, Outcome.WILL_NOT_FIRE),
        ]

    async def test_max_runs_counts_those_that_come_before(self, house: House) -> None:
        schedule = await has(house, max_runs=3)

        last, beyond = [await explain(house, schedule, NOON + n * MINUTE) for n in (2, 3)]

        assert (Rule.MAX_RUNS, Outcome.PASS) in rules(last)
        assert detail(last, Rule.MAX_RUNS) == "3 of 3 runs are left, and 2 come before"
        assert (last.result, beyond.result) == (Outcome.WILL_FIRE, Outcome.WILL_NOT_FIRE)
        assert rules(beyond)[-2] == (Rule.MAX_RUNS, Outcome.STOP)

    async def test_a_disabled_schedule_will_not_fire(self, house: House) -> None:
        schedule = await has(house, enabled=False)

        assert rules(await explain(house, schedule, NOON + HOUR))[-2:] == [
            (Rule.ENABLED, Outcome.STOP),
            (Rule.RESULT, Outcome.WILL_NOT_FIRE),
        ]

    async def test_a_pause_that_ends_by_itself(self, house: House) -> None:
        schedule = await has(house)
        until = NOON + DAY
        await house.handle(DisableSchedule(tenant_id=ACME, schedule_id=schedule.id, until=until))

        within, beyond = [await explain(house, schedule, at) for at in (until - MINUTE, until)]

        assert detail(within, Rule.ENABLED).startswith("disabled from 2026-03-02T12:00:00Z to 2026-03-03T12:00:00Z:")
        assert detail(beyond, Rule.ENABLED) == "disabled until 2026-03-03T12:00:00Z, and then no longer"
        assert (within.result, beyond.result) == (Outcome.WILL_NOT_FIRE, Outcome.WILL_FIRE)

    async def test_overlap_is_asked_once_it_is_due(self, house: House) -> None:
        schedule = await has(house, overlap=Overlap.REPLACE)

        assert "REPLACE: asked once it is due" in detail(await explain(house, schedule, NOON + HOUR), Rule.OVERLAP)


MONDAY_NINE = datetime(2026, 3, 9, 9, tzinfo=UTC)
SATURDAY_NINE = MONDAY_NINE - 2 * DAY


class TestCalendars:
    async def test_a_closed_day_is_no_due_time(self, house: House) -> None:
        _, schedule = await _in_calendar(house, OnClosed.SKIP)

        told = await explain(house, schedule, SATURDAY_NINE)

        assert detail(told, Rule.CALENDAR) == (
            "DE-BY: 2026-03-07 is closed (Saturday is no working day); onClosed SKIP: it is no due time"
        )
        assert told.result is Outcome.WILL_NOT_FIRE

    async def test_an_open_day_passes(self, house: House) -> None:
        _, schedule = await _in_calendar(house, OnClosed.SKIP)

        told = await explain(house, schedule, MONDAY_NINE)

        assert detail(told, Rule.CALENDAR) == "DE-BY: 2026-03-09 is open"
        assert told.result is Outcome.WILL_FIRE

    async def test_a_move_is_told_and_asked_by_either_instant(self, house: House) -> None:
        _, schedule = await _in_calendar(house, OnClosed.NEXT_OPEN, Cron("0 9 * * 6"))

        scheduled, due = [await explain(house, schedule, at) for at in (SATURDAY_NINE, MONDAY_NINE)]

        for told in (scheduled, due):
            assert (told.scheduled_for, told.due_at) == (SATURDAY_NINE, MONDAY_NINE)
            assert (Rule.CALENDAR, Outcome.MOVE) in rules(told)
            assert "moves it to 2026-03-09 09:00:00 in UTC" in detail(told, Rule.CALENDAR)
            assert told.result is Outcome.WILL_FIRE
        assert detail(due, Rule.TRIGGER).startswith("due at this instant is what is scheduled for 2026-03-07T09:00:00Z")

    async def test_several_due_at_one_instant_fire_once(self, house: House) -> None:
        _, schedule = await _in_calendar(house, OnClosed.NEXT_OPEN)

        before = await explain(house, schedule, MONDAY_NINE)
        await tick(house, MONDAY_NINE - NOON)
        after = await explain(house, schedule, MONDAY_NINE)

        assert (Rule.MERGE, Outcome.STOP) in rules(before)
        assert "scheduled for 2026-03-07T09:00:00Z, which fires for both" in detail(before, Rule.MERGE)
        assert (before.result, after.result) == (Outcome.WILL_NOT_FIRE, Outcome.SKIPPED)
        assert "MERGED" in detail(after, Rule.RESULT)
        assert (await explain(house, schedule, SATURDAY_NINE)).result is Outcome.FIRED

    async def test_the_past_is_judged_by_what_the_calendar_said_then(self, house: House) -> None:
        calendar, schedule = await _in_calendar(house, OnClosed.SKIP)
        await tick(house, MONDAY_NINE - NOON)
        closure = Closure(MONDAY_NINE.date(), MONDAY_NINE.date() + 7 * DAY, "Inventory")
        changed = CalendarDefinition(name="DE-BY", closures=(closure,))
        house.clock.advance(HOUR)
        await house.handle(ChangeCalendar(tenant_id=ACME, calendar_id=calendar.id, revise=lambda _: changed))

        then, coming = [await explain(house, schedule, at) for at in (MONDAY_NINE, MONDAY_NINE + DAY)]

        assert (detail(then, Rule.CALENDAR), then.result) == ("DE-BY: 2026-03-09 is open", Outcome.FIRED)
        assert ("(Inventory)" in detail(coming, Rule.CALENDAR), coming.result) == (True, Outcome.WILL_NOT_FIRE)

    async def test_jitter_is_told_and_asked_by_either_instant(self, house: House) -> None:
        schedule = await has(house, FixedRate(DAY, NOON), jitter=HOUR)
        (due,) = schedule.due_times(LAST_MOMENT, NOON)

        scheduled, at_due = [await explain(house, schedule, at) for at in (NOON, due.due_at)]

        for told in (scheduled, at_due):
            assert (Rule.JITTER, Outcome.MOVE) in rules(told)
            assert (told.scheduled_for, told.due_at) == (NOON, due.due_at)
            assert told.result is Outcome.WILL_FIRE


async def _in_calendar(house: House, on_closed: OnClosed, trigger: Trigger | None = None) -> tuple[Calendar, Schedule]:
    calendar = a_calendar(now=LAST_MOMENT)
    await house.has(calendar)
    rule = CalendarRule(CalendarId(calendar.id), on_closed)
    async with house.begin() as work:
        open_days = (await work.calendars.open_days([(ACME, calendar.id)]))[ACME, calendar.id]
    schedule = await has(house, trigger or Cron("0 9 * * *"), calendar=rule, open_days=open_days)
    return calendar, schedule


class TestWhatNoClockMoves:
    async def test_a_fixed_delay_follows_the_end_of_its_run(self, house: House) -> None:
        schedule = await has(house, FixedDelay(HOUR))
        await tick(house)
        run = await house.only_run()

        going = await explain(house, schedule, NOON + 5 * HOUR)
        await house.start(run)
        await house.succeed(run)
        await house.handle(FollowEnds())
        coming, between, beyond = [await explain(house, schedule, NOON + at) for at in (HOUR, 30 * MINUTE, 2 * HOUR)]

        assert going.result is Outcome.UNKNOWN
        assert coming.result is Outcome.WILL_FIRE
        assert f"1 h after the end of the run before, {run.id}, which ended at" in detail(coming, Rule.TRIGGER)
        assert (between.result, beyond.result) == (Outcome.WILL_NOT_FIRE, Outcome.UNKNOWN)

    async def test_the_past_of_a_fixed_delay_is_its_runs(self, house: House) -> None:
        schedule = await has(house, FixedDelay(HOUR))
        await tick(house)
        run = await house.only_run()
        house.clock.advance(DAY)

        fired, nothing = [await explain(house, schedule, at) for at in (run.scheduled_for, run.scheduled_for + MINUTE)]

        assert (fired.result, nothing.result) == (Outcome.FIRED, Outcome.NOT_FIRED)

    async def test_an_event_schedule_fires_when_a_message_arrives(self, house: House) -> None:
        schedule = await has(house, OnEvent("topic.acme.orders.paid"))
        run = schedule.run_now(RunId(next_id()), now=NOON, cause=Cause.EVENT).accept()
        await house.has(run)
        house.clock.advance(HOUR)

        heard, quiet, coming = [await explain(house, schedule, NOON + at) for at in (timedelta(0), MINUTE, DAY)]

        assert (heard.result, quiet.result, coming.result) == (Outcome.FIRED, Outcome.NOT_FIRED, Outcome.UNKNOWN)
        assert "'topic.acme.orders.paid'" in detail(quiet, Rule.TRIGGER)
