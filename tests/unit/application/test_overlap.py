"""Runs of one schedule overlap as far as it lets them: what may not go now is skipped, waits, or replaces the others."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from tests.support.builders import ACME, FAILURE, HOUR, MINUTE, NOON, SECOND, a_job, a_run, a_schedule
from tests.unit.application.house import House, Meanwhile, due_times, states

from rota.application.cancel_run import CancelRun
from rota.application.catch_up import CatchUpOnce
from rota.application.change_schedule import ChangeSchedule
from rota.application.command import Message
from rota.application.create_runs import RunDraft
from rota.application.delete_schedule import DeleteSchedule
from rota.application.disable_schedule import DisableSchedule
from rota.application.drafts import NamedJob, ScheduleDraft
from rota.application.enable_schedule import EnableSchedule
from rota.application.fire_schedules import FireSchedules
from rota.application.follow_ends import FollowEnds
from rota.application.take_reports import ReportKind
from rota.application.trigger_schedule import TriggerSchedule
from rota.domain.errors import OverlapError
from rota.domain.gates import schedule_gate
from rota.domain.misfire import MisfirePolicy
from rota.domain.overlap import Overlap
from rota.domain.run import Run
from rota.domain.run_events import Cause, RunState
from rota.domain.schedule import Schedule
from rota.domain.trigger import FixedRate
from rota.domain.walk import PORTION

SKIP, QUEUE, QUEUE_ONE, REPLACE, ALLOW = (
    Overlap.SKIP,
    Overlap.QUEUE,
    Overlap.QUEUE_ONE,
    Overlap.REPLACE,
    Overlap.ALLOW,
)
WAITS_OR_RUNS = (RunState.PENDING, RunState.QUEUED, RunState.RUNNING, RunState.RETRYING)


async def has(house: House, schedule: Schedule) -> Schedule:
    await house.has(a_job(), schedule)
    return schedule


async def tick(house: House) -> None:
    """The next due time, a minute later."""
    house.clock.advance(MINUTE)
    await house.handle(FireSchedules(epoch=1))


async def fired(house: House, overlap: Overlap, *, running: bool = True, max_runs: int | None = None) -> Schedule:
    """A schedule due each minute, whose first run goes."""
    schedule = await has(house, a_schedule(overlap=overlap, max_runs=max_runs))
    await house.handle(FireSchedules(epoch=1))
    if running:
        await house.start(await house.only_run())
    return schedule


def parked(runs: Sequence[Run]) -> list[bool]:
    return [run.parked_on is not None for run in runs]


class TestWhileARunGoesOn:
    async def test_allow_fires_beside_it(self, house: House) -> None:
        await fired(house, ALLOW)

        await tick(house)

        assert states(await house.runs()) == [RunState.RUNNING, RunState.QUEUED]

    @pytest.mark.parametrize("state", WAITS_OR_RUNS)
    async def test_skip_records_the_due_time_as_a_run_that_is_never_carried_out(
        self, house: House, state: RunState
    ) -> None:
        schedule = await has(house, a_schedule(overlap=SKIP, start_at=NOON + MINUTE))
        going = a_run(state, schedule_id=schedule.id, cause=Cause.MANUAL)
        await house.has(going)

        await tick(house)

        (skipped,) = [run for run in await house.runs() if run.id != going.id]
        assert (skipped.state, skipped.reason, skipped.cause) == (RunState.SKIPPED, "OVERLAP", Cause.SCHEDULE)
        assert (skipped.scheduled_for, skipped.finished_at, skipped.attempt) == (NOON + MINUTE, NOON + MINUTE, 0)
        assert "run.skipped" in await house.event_types()
        assert await house.misses(schedule) == []

    @pytest.mark.parametrize("overlap", [SKIP, QUEUE, QUEUE_ONE, REPLACE])
    @pytest.mark.parametrize("state", [RunState.SUCCEEDED, RunState.DEAD, RunState.CANCELLED, RunState.SKIPPED])
    async def test_one_that_has_ended_is_in_nobodys_way(self, house: House, overlap: Overlap, state: RunState) -> None:
        schedule = await has(house, a_schedule(overlap=overlap))
        await house.has(a_run(state, schedule_id=schedule.id, cause=Cause.MANUAL))

        await house.handle(FireSchedules(epoch=1))

        assert sorted(states(await house.runs())) == sorted([state, RunState.QUEUED])

    async def test_queue_lets_each_due_time_wait_for_those_before_it(self, house: House) -> None:
        schedule = await fired(house, QUEUE)

        for _ in range(3):
            await tick(house)

        runs = await house.runs()
        assert states(runs) == [RunState.RUNNING] + [RunState.PENDING] * 3
        assert {run.parked_on for run in runs[1:]} == {schedule_gate(schedule.id)}
        assert (await house.dispatch()).moved == 0

    async def test_queue_one_lets_one_wait_and_skips_the_others(self, house: House) -> None:
        await fired(house, QUEUE_ONE)

        for _ in range(3):
            await tick(house)

        runs = await house.runs()
        assert states(runs) == [RunState.RUNNING, RunState.PENDING, RunState.SKIPPED, RunState.SKIPPED]
        assert [run.reason for run in runs[2:]] == ["OVERLAP"] * 2

    async def test_queue_one_lets_the_next_wait_once_the_one_that_waited_goes(self, house: House) -> None:
        await fired(house, QUEUE_ONE)
        await tick(house)
        await house.succeed((await house.runs())[0])
        await house.handle(FollowEnds())
        await house.dispatch()

        await tick(house)

        assert states(await house.runs()) == [RunState.SUCCEEDED, RunState.QUEUED, RunState.PENDING]

    async def test_the_runs_of_another_schedule_are_in_nobodys_way(self, house: House) -> None:
        await fired(house, SKIP)
        other = a_schedule(name="other", overlap=SKIP, now=house.clock.now())
        await house.has(other)

        await house.handle(FireSchedules(epoch=1))

        assert [run.state for run in await house.runs() if run.schedule_id == other.id] == [RunState.QUEUED]

    async def test_runs_that_somebody_else_asked_for_of_the_same_job_are_not_either(self, house: House) -> None:
        await has(house, a_schedule(overlap=SKIP))
        await house.create(RunDraft(job="reports.daily"))

        await house.handle(FireSchedules(epoch=1))

        assert states(await house.runs()) == [RunState.QUEUED] * 2

    async def test_the_leader_is_woken_when_it_ends(self, house: House) -> None:
        await fired(house, QUEUE)
        before = house.nudge.count

        await house.succeed(await house.only_run())

        assert house.nudge.count == before + 1


class TestReplace:
    async def test_of_a_run_that_nobody_has_started_cancels_it_and_goes_at_once(self, house: House) -> None:
        await fired(house, REPLACE, running=False)

        await tick(house)

        first, second = await house.runs()
        assert (first.state, first.reason) == (RunState.CANCELLED, "replaced by a later run")
        assert (second.state, second.scheduled_for) == (RunState.QUEUED, NOON + MINUTE)
        assert house.control.told == []

    async def test_of_a_run_that_runs_asks_its_worker_to_stop_and_waits_for_the_end(self, house: House) -> None:
        schedule = await fired(house, REPLACE)
        before = await house.only_run()

        await tick(house)

        first, second = await house.runs()
        assert (first.state, first.cancel_requested_at) == (RunState.RUNNING, NOON + MINUTE)
        assert (second.state, second.parked_on) == (RunState.PENDING, schedule_gate(schedule.id))
        assert [(worker_id, order.kind, order.run_id) for _, worker_id, order in house.control.told] == [
            (before.worker_id, "CANCEL", first.id)
        ]

    async def test_goes_when_the_replaced_one_has_ended(self, house: House) -> None:
        await fired(house, REPLACE)
        await tick(house)
        first, second = await house.runs()

        await house.report(ReportKind.CANCELLED, first)
        await house.handle(FollowEnds())
        await house.dispatch()

        assert (await house.again(first)).state is RunState.CANCELLED
        assert (await house.again(second)).state is RunState.QUEUED

    async def test_replaces_those_that_wait_for_the_end_of_a_replaced_one_too(self, house: House) -> None:
        await fired(house, REPLACE)

        await tick(house)
        await tick(house)

        assert [(run.state, run.reason) for run in await house.runs()] == [
            (RunState.RUNNING, "replaced by a later run"),
            (RunState.CANCELLED, "replaced by a later run"),
            (RunState.PENDING, None),
        ]

    async def test_of_a_run_that_waits_out_a_backoff_cancels_it(self, house: House) -> None:
        await fired(house, REPLACE)
        await house.fail(await house.only_run(), retry_after=HOUR)

        await tick(house)

        assert states(await house.runs()) == [RunState.CANCELLED, RunState.QUEUED]

    async def test_of_a_run_that_is_started_at_that_very_moment_waits_for_its_end(self, house: House) -> None:
        """Between counting what goes and cancelling it nobody may start it."""
        await fired(house, REPLACE, running=False)
        first = await house.only_run()
        house.clock.advance(MINUTE)
        async with house.begin() as intake:
            (run,) = (await intake.runs.load([(ACME, first.id)])).values()
            firing = asyncio.create_task(house.handle(FireSchedules(epoch=1)))
            await house.somebody_waits()
            run.start(first.job.id, 1, NOON)  # type: ignore[arg-type,union-attr]  # any id will do
            await intake.commit()
        await firing

        runs = await house.runs()
        assert states(runs) == [RunState.RUNNING, RunState.PENDING]
        assert parked(runs) == [False, True]

    async def test_loses_against_a_success_that_comes_first(self, house: House) -> None:
        await fired(house, REPLACE)
        await tick(house)

        await house.succeed((await house.runs())[0])
        await house.handle(FollowEnds())
        await house.dispatch()

        assert states(await house.runs()) == [RunState.SUCCEEDED, RunState.QUEUED]


class TestSeveralDueTimesAtOnce:
    """Four due times, all within the grace, and nothing goes on."""

    @pytest.mark.parametrize(
        ("overlap", "expected"),
        [
            (ALLOW, [RunState.QUEUED] * 4),
            (SKIP, [RunState.QUEUED] + [RunState.SKIPPED] * 3),
            (QUEUE, [RunState.QUEUED] + [RunState.PENDING] * 3),
            (QUEUE_ONE, [RunState.QUEUED, RunState.PENDING] + [RunState.SKIPPED] * 2),
            (REPLACE, [RunState.SKIPPED] * 3 + [RunState.QUEUED]),
        ],
    )
    async def test_are_sorted_as_if_they_had_come_one_by_one(
        self, house: House, overlap: Overlap, expected: Sequence[RunState]
    ) -> None:
        schedule = await has(house, a_schedule(overlap=overlap, grace=HOUR))
        house.clock.set(NOON + 3 * MINUTE)

        await house.handle(FireSchedules(epoch=1))

        runs = await house.runs()
        assert due_times(runs) == [NOON + n * MINUTE for n in range(4)]
        assert states(runs) == expected
        assert await house.misses(schedule) == []
        assert (await house.schedule(schedule.id)).snapshot().last_fire_at == NOON + 3 * MINUTE


class TestMaxRuns:
    async def test_does_not_count_what_was_skipped(self, house: House) -> None:
        schedule = await fired(house, SKIP, max_runs=2)
        for _ in range(3):
            await tick(house)
        await house.succeed((await house.runs())[0])

        await tick(house)
        await tick(house)

        assert states(await house.runs()) == [RunState.SUCCEEDED] + [RunState.SKIPPED] * 3 + [RunState.QUEUED]
        assert (await house.schedule(schedule.id)).snapshot().next_fire_at is None

    async def test_counts_what_waits(self, house: House) -> None:
        schedule = await fired(house, QUEUE, max_runs=3)

        for _ in range(5):
            await tick(house)

        assert len(await house.runs()) == 3
        assert (await house.schedule(schedule.id)).snapshot().next_fire_at is None

    async def test_bounds_several_due_times_at_once(self, house: House) -> None:
        await has(house, a_schedule(overlap=QUEUE, grace=HOUR, max_runs=2))
        house.clock.set(NOON + 5 * MINUTE)

        await house.handle(FireSchedules(epoch=1))

        assert states(await house.runs()) == [RunState.QUEUED, RunState.PENDING]


class TestWhatWasSetAside:
    """Three due times that FIRE_ALL catches up, late."""

    async def set_aside(self, house: House, overlap: Overlap, max_runs: int | None = None) -> Schedule:
        schedule = a_schedule(
            FixedRate(SECOND, NOON),
            overlap=overlap,
            policy=MisfirePolicy.FIRE_ALL,
            grace=timedelta(0),
            max_runs=max_runs,
            end_at=NOON + 10 * SECOND,
        )
        await has(house, schedule)
        house.clock.set(NOON + 2.5 * SECOND)
        await house.handle(FireSchedules(epoch=1))
        return schedule

    @pytest.mark.parametrize(
        ("overlap", "expected"),
        [
            (ALLOW, [RunState.PENDING] * 3),
            (SKIP, [RunState.PENDING] + [RunState.SKIPPED] * 2),
            (QUEUE, [RunState.PENDING] * 3),
            (QUEUE_ONE, [RunState.PENDING] * 2 + [RunState.SKIPPED]),
            (REPLACE, [RunState.PENDING] * 3),
        ],
    )
    async def test_is_made_as_the_policy_has_it_and_late_ones_replace_nothing(
        self, house: House, overlap: Overlap, expected: Sequence[RunState]
    ) -> None:
        await self.set_aside(house, overlap)

        await house.handle(CatchUpOnce())

        runs = await house.runs()
        assert due_times(runs) == [NOON + n * SECOND for n in range(3)]
        assert states(runs) == expected
        waits = [run for run in runs if run.state is RunState.PENDING]
        assert parked(waits) == [False] + [overlap is not ALLOW] * (len(waits) - 1)

    async def test_waits_for_a_live_run(self, house: House) -> None:
        schedule = await self.set_aside(house, QUEUE)
        await house.has(a_run(RunState.RUNNING, schedule_id=schedule.id, cause=Cause.MANUAL))

        await house.handle(CatchUpOnce())

        assert parked([run for run in await house.runs() if run.cause is Cause.SCHEDULE]) == [True] * 3

    async def test_gives_back_to_max_runs_what_is_skipped(self, house: House) -> None:
        schedule = await self.set_aside(house, SKIP, max_runs=3)
        assert (await house.schedule(schedule.id)).runs_made == 3

        await house.handle(CatchUpOnce())

        assert (await house.schedule(schedule.id)).runs_made == 1

    async def test_lets_the_schedule_fire_on_that_seemed_to_have_made_all_it_may(self, house: House) -> None:
        schedule = await self.set_aside(house, SKIP, max_runs=2)
        assert (await house.schedule(schedule.id)).next is None

        await house.handle(CatchUpOnce())
        await house.dispatch()
        first = (await house.runs())[0]
        await house.start(first)
        await house.succeed(first)
        house.clock.set(NOON + 3 * SECOND)
        await house.handle(FireSchedules(epoch=1))

        runs = await house.runs()
        assert due_times(runs) == [NOON + n * SECOND for n in range(4)]
        assert (await house.schedule(schedule.id)).runs_made == 2

    @pytest.mark.parametrize(
        ("overlap", "expected"), [(SKIP, [RunState.PENDING] + [RunState.SKIPPED] * 2), (QUEUE, [RunState.PENDING])]
    )
    async def test_max_runs_cuts_off_what_would_run_and_not_what_is_skipped(
        self, house: House, overlap: Overlap, expected: Sequence[RunState]
    ) -> None:
        schedule = await self.set_aside(house, overlap, max_runs=1)

        await house.handle(CatchUpOnce())

        assert states(await house.runs()) == expected
        assert (await house.schedule(schedule.id)).runs_made == 1

    @pytest.mark.parametrize("overlap", list(Overlap))
    async def test_is_made_though_the_schedule_was_deleted(self, house: House, overlap: Overlap) -> None:
        schedule = await self.set_aside(house, overlap)
        await house.handle(DeleteSchedule(tenant_id=ACME, schedule_id=schedule.id))

        while await house.handle(CatchUpOnce()):
            pass

        assert due_times(await house.runs()) == [NOON + n * SECOND for n in range(3)]

    async def test_is_judged_by_the_policy_it_was_due_under(self, house: House) -> None:
        schedule = await self.set_aside(house, SKIP)
        await house.handle(change(schedule, overlap=ALLOW))

        await house.handle(CatchUpOnce())

        assert states(await house.runs()) == [RunState.PENDING] + [RunState.SKIPPED] * 2


class TestTriggering:
    @pytest.mark.parametrize("overlap", list(Overlap))
    async def test_with_nothing_going_on_makes_a_run_that_waits_for_its_turn(
        self, house: House, overlap: Overlap
    ) -> None:
        schedule = await has(house, a_schedule(overlap=overlap))

        run = await house.handle(trigger(schedule))

        assert (run.state, run.parked_on, run.rank) == (RunState.PENDING, None, NOON)

    @pytest.mark.parametrize("state", WAITS_OR_RUNS)
    async def test_under_skip_is_refused_while_a_run_goes_on_and_leaves_no_trace(
        self, house: House, state: RunState
    ) -> None:
        schedule = await has(house, a_schedule(overlap=SKIP))
        await house.has(a_run(state, schedule_id=schedule.id))
        before = await house.event_types()

        with pytest.raises(OverlapError):
            await house.handle(trigger(schedule))

        assert states(await house.runs()) == [state]
        assert await house.event_types() == before
        assert house.nudge.count == 0

    async def test_under_queue_waits_for_the_runs_that_go_on(self, house: House) -> None:
        schedule = await fired(house, QUEUE)

        run = await house.handle(trigger(schedule))

        assert run.parked_on == schedule_gate(schedule.id)
        await house.succeed((await house.runs())[0])
        await house.handle(FollowEnds())
        await house.dispatch()
        assert (await house.again(run)).state is RunState.QUEUED

    async def test_under_queue_one_is_refused_where_one_waits_already(self, house: House) -> None:
        schedule = await fired(house, QUEUE_ONE)
        await house.handle(trigger(schedule))

        with pytest.raises(OverlapError):
            await house.handle(trigger(schedule))

    async def test_under_replace_cancels_what_goes_on_and_its_worker_is_told(self, house: House) -> None:
        schedule = await fired(house, REPLACE)

        run = await house.handle(trigger(schedule))

        going = next(each for each in await house.runs() if each.id != run.id)
        assert going.cancel_requested_at == NOON
        assert run.parked_on == schedule_gate(schedule.id)
        assert [(order.kind, order.run_id) for _, _, order in house.control.told] == [("CANCEL", going.id)]

    async def test_is_in_the_way_of_the_next_due_time(self, house: House) -> None:
        schedule = await has(house, a_schedule(overlap=SKIP))
        await house.handle(trigger(schedule))

        await house.handle(FireSchedules(epoch=1))

        assert sorted(states(await house.runs())) == [RunState.PENDING, RunState.SKIPPED]

    async def test_at_the_same_moment_as_the_tick_makes_no_second_run(self, house: House) -> None:
        schedule = await has(house, a_schedule(overlap=SKIP))
        slow = house.wired(Meanwhile(house.begin, 2, lambda: house.handle(trigger(schedule))))

        await slow.bus.handle(FireSchedules(epoch=1))

        assert sorted(states(await house.runs())) == [RunState.PENDING, RunState.SKIPPED]

    async def test_that_has_not_ended_yet_is_left_by_the_tick_to_the_next_one_which_counts_it(
        self, house: House
    ) -> None:
        schedule = await has(house, a_schedule(overlap=SKIP))
        async with house.begin() as triggering:
            await triggering.schedules.get(ACME, schedule.id)
            assert await house.handle(FireSchedules(epoch=1)) == 0
            triggering.runs.add(a_run(schedule_id=schedule.id, cause=Cause.MANUAL))
            await triggering.commit()
        await house.handle(FireSchedules(epoch=1))

        assert sorted(states(await house.runs())) == [RunState.PENDING, RunState.SKIPPED]


class TestChangesOfTheSchedule:
    """What is due already is settled first, as the standing policy has it."""

    @pytest.mark.parametrize(
        ("overlap", "expected"),
        [
            (ALLOW, [RunState.RUNNING, RunState.PENDING]),
            (SKIP, [RunState.RUNNING, RunState.SKIPPED]),
            (QUEUE, [RunState.RUNNING, RunState.PENDING]),
            (QUEUE_ONE, [RunState.RUNNING, RunState.PENDING]),
            (REPLACE, [RunState.RUNNING, RunState.PENDING]),
        ],
    )
    async def test_settle_what_is_due(self, house: House, overlap: Overlap, expected: Sequence[RunState]) -> None:
        schedule = await fired(house, overlap)
        house.clock.advance(MINUTE)

        await house.handle(change(schedule, overlap=ALLOW, description="other"))

        runs = await house.runs()
        assert states(runs) == expected
        assert runs[1].parked_on == (schedule_gate(schedule.id) if overlap in (QUEUE, QUEUE_ONE, REPLACE) else None)

    @pytest.mark.parametrize("kind", [DisableSchedule, EnableSchedule, DeleteSchedule, ChangeSchedule])
    async def test_tell_the_workers_of_replaced_runs(self, house: House, kind: type[Message[Any]]) -> None:
        schedule = await fired(house, REPLACE)
        house.clock.advance(MINUTE)

        if kind is ChangeSchedule:
            await house.handle(change(schedule, overlap=REPLACE, description="other"))
        else:
            await house.handle(kind(tenant_id=ACME, schedule_id=schedule.id))

        assert [order.kind for _, _, order in house.control.told] == ["CANCEL"]
        assert states(await house.runs()) == [RunState.RUNNING, RunState.PENDING]

    @pytest.mark.parametrize("overlap", [QUEUE, REPLACE])
    async def test_let_go_what_waits_once_the_others_have_ended(self, house: House, overlap: Overlap) -> None:
        schedule = await fired(house, overlap)
        house.clock.advance(MINUTE)
        await house.handle(DisableSchedule(tenant_id=ACME, schedule_id=schedule.id))

        await house.succeed((await house.runs())[0])
        await house.handle(FollowEnds())
        await house.dispatch()

        assert states(await house.runs()) == [RunState.SUCCEEDED, RunState.QUEUED]

    @pytest.mark.parametrize("overlap", [SKIP, QUEUE_ONE, REPLACE])
    async def test_settle_a_backlog_of_several_portions_as_one(self, house: House, overlap: Overlap) -> None:
        schedule = await has(house, a_schedule(FixedRate(SECOND, NOON), overlap=overlap, grace=24 * HOUR))
        house.clock.set(NOON + (PORTION + 10) * SECOND)

        await house.handle(DisableSchedule(tenant_id=ACME, schedule_id=schedule.id))

        live = [run for run in await house.runs() if not run.state.is_final]
        assert parked(live) == ([False, True] if overlap is QUEUE_ONE else [False])

    async def test_to_a_stricter_policy_count_the_runs_of_before(self, house: House) -> None:
        schedule = await fired(house, ALLOW)
        await tick(house)
        await house.handle(change(schedule, overlap=SKIP))

        await tick(house)

        assert states(await house.runs()) == [RunState.RUNNING, RunState.QUEUED, RunState.SKIPPED]


class TestARunOfTheScheduleThatWasCancelled:
    async def test_is_in_nobodys_way_once_it_has_ended(self, house: House) -> None:
        await fired(house, SKIP)
        run = await house.only_run()
        await house.handle(CancelRun(tenant_id=ACME, run_id=run.id))
        await tick(house)
        await house.fail(run, error=FAILURE)

        await tick(house)

        assert states(await house.runs()) == [RunState.CANCELLED, RunState.SKIPPED, RunState.QUEUED]


def trigger(schedule: Schedule) -> TriggerSchedule:
    return TriggerSchedule(tenant_id=ACME, schedule_id=schedule.id)


def change(schedule: Schedule, *, overlap: Overlap, description: str = "") -> ChangeSchedule:
    own = schedule.definition
    draft = ScheduleDraft(
        name=own.name,
        trigger=own.trigger,
        target=NamedJob("reports.daily"),
        tz=own.tz,
        description=description,
        misfire=own.misfire,
        end_at=own.end_at,
        overlap=overlap,
    )
    return ChangeSchedule(tenant_id=ACME, schedule_id=schedule.id, revise=lambda _: draft)
