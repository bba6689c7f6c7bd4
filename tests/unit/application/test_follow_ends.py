"""What waited for the end of a run goes on: the first at each gate, and schedules that count a delay from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from tests.support.builders import ACME, GLOBEX, HOUR, MINUTE, NOON, SECOND, a_job, a_run, a_schedule
from tests.unit.application.house import BeforeCommit, House

from rota.application.cancel_run import CancelRun
from rota.application.change_job import ChangeJob
from rota.application.create_runs import RunDraft
from rota.application.delete_schedule import DeleteSchedule
from rota.application.disable_schedule import DisableSchedule
from rota.application.enable_schedule import EnableSchedule
from rota.application.fire_schedules import FireSchedules
from rota.application.follow_ends import FollowEnds
from rota.application.take_reports import ReportKind
from rota.application.wake_runs import WakeRuns
from rota.domain.ids import TenantId
from rota.domain.misfire import MisfirePolicy
from rota.domain.overlap import Overlap
from rota.domain.payload import Json
from rota.domain.run import Run
from rota.domain.run_events import RunState
from rota.domain.run_life import CANCEL_GRACE, TIMEOUT_SLACK
from rota.domain.schedule import Schedule
from rota.domain.trigger import FixedDelay

JOB = "reports.daily"
UNDER_WAY = (RunState.QUEUED, RunState.RUNNING)


async def test_with_nothing_that_waits_there_is_nothing_to_do(house: House) -> None:
    assert await house.handle(FollowEnds()) == 0


class TestTheGateOfASchedule:
    """Three due times of a schedule whose runs wait for each other."""

    @pytest.fixture
    async def runs(self, house: House) -> Sequence[Run]:
        await house.has(a_job(), a_schedule(overlap=Overlap.QUEUE))
        for _ in range(3):
            await house.handle(FireSchedules(epoch=1))
            house.clock.advance(MINUTE)
        return await house.runs()

    async def test_is_shut_while_a_run_before_it_goes(self, house: House, runs: Sequence[Run]) -> None:
        assert await house.handle(FollowEnds()) == 0
        await house.start(runs[0])
        assert await house.handle(FollowEnds()) == 0

        assert await parked(house, runs) == [1, 2]

    async def test_is_shut_while_the_run_before_it_waits_out_a_backoff(self, house: House, runs: Sequence[Run]) -> None:
        await house.start(runs[0])
        await house.fail(runs[0])

        assert await house.handle(FollowEnds()) == 0

    async def test_opens_for_the_first_when_the_run_before_it_has_ended(
        self, house: House, runs: Sequence[Run]
    ) -> None:
        await house.succeed(runs[0])

        assert [await house.handle(FollowEnds()), await house.handle(FollowEnds())] == [1, 0]

        assert await parked(house, runs) == [2]
        await house.dispatch()
        assert (await house.again(runs[1])).state is RunState.QUEUED

    @pytest.mark.parametrize("ending", ["fails", "is cancelled", "times out"])
    async def test_opens_however_it_ended(self, house: House, runs: Sequence[Run], ending: str) -> None:
        await house.start(runs[0])
        match ending:
            case "fails":
                await house.fail(runs[0], retryable=False)
            case "is cancelled":
                await house.handle(CancelRun(tenant_id=ACME, run_id=runs[0].id))
                house.clock.advance(CANCEL_GRACE)
                await house.handle(WakeRuns())
            case "times out":
                await no_more_attempts(house)
                house.clock.advance(5 * MINUTE + TIMEOUT_SLACK)
                await house.handle(WakeRuns())

        assert await house.handle(FollowEnds()) == 1

    async def test_lets_one_after_the_other_through_in_the_order_of_their_due_times(
        self, house: House, runs: Sequence[Run]
    ) -> None:
        order = []
        for _ in runs:
            (going,) = [run for run in await house.runs() if run.state in UNDER_WAY]
            order.append(going.scheduled_for)
            await house.succeed(going)
            await house.handle(FollowEnds())
            await house.dispatch()

        assert order == [NOON, NOON + MINUTE, NOON + 2 * MINUTE]

    async def test_opens_for_the_next_when_the_first_behind_it_was_cancelled(
        self, house: House, runs: Sequence[Run]
    ) -> None:
        await house.handle(CancelRun(tenant_id=ACME, run_id=runs[1].id))
        await house.succeed(runs[0])

        assert await house.handle(FollowEnds()) == 1

        assert (await house.again(runs[2])).parked_on is None

    async def test_opens_when_the_schedule_is_no_more(self, house: House, runs: Sequence[Run]) -> None:
        """What was fired is carried out."""
        schedule_id = runs[0].schedule_id
        assert schedule_id is not None
        await house.handle(DeleteSchedule(tenant_id=ACME, schedule_id=schedule_id))
        await house.succeed(runs[0])

        assert await house.handle(FollowEnds()) == 1

    async def test_is_passed_over_while_somebody_else_holds_the_first_behind_it(
        self, house: House, runs: Sequence[Run]
    ) -> None:
        await house.succeed(runs[0])
        async with house.begin() as work:
            await work.runs.load([(ACME, runs[1].id)])

            assert await house.handle(FollowEnds()) == 0

        assert await house.handle(FollowEnds()) == 1

    async def test_lets_two_that_look_at_once_open_it_for_one(self, house: House, runs: Sequence[Run]) -> None:
        await house.succeed(runs[0])
        other = house.wired()
        slow = house.wired(BeforeCommit(house.begin, lambda: other.bus.handle(FollowEnds())))

        await slow.bus.handle(FollowEnds())
        await house.handle(FollowEnds())

        assert await parked(house, runs) == [2]

    async def test_of_one_schedule_is_not_that_of_another(self, house: House, runs: Sequence[Run]) -> None:
        await house.has(
            a_schedule(overlap=Overlap.QUEUE, name="other", end_at=NOON + 5 * MINUTE, now=house.clock.now())
        )
        await house.handle(FireSchedules(epoch=1))
        await house.succeed(*(run for run in await house.runs() if run.is_queued and run.id != runs[0].id))

        await house.handle(FollowEnds())

        assert await parked(house, runs) == [1, 2]


class TestTheGateOfAKey:
    async def test_opens_for_one_of_each_value_whose_run_has_ended(self, house: House) -> None:
        await house.has(a_job(concurrency_key="/customer"))
        runs = await house.create(*(keyed(customer) for customer in (7, 7, 7, 8, 8, 9, 9)))
        await house.dispatch()

        await house.succeed(runs[0], runs[3])

        assert await house.handle(FollowEnds()) == 2
        assert await parked(house, runs) == [2, 6]

    async def test_is_shut_while_its_run_is_on_the_bus_or_running(self, house: House) -> None:
        await house.has(a_job(concurrency_key="/customer"))
        runs = await house.create(keyed(7), keyed(7))
        await house.dispatch()

        assert await house.handle(FollowEnds()) == 0
        await house.start(runs[0])
        assert await house.handle(FollowEnds()) == 0
        await house.report(ReportKind.RELEASED, runs[0])
        assert await house.handle(FollowEnds()) == 0

    async def test_lets_never_two_go_at_once_however_often_it_is_looked_at(self, house: House) -> None:
        await house.has(a_job(concurrency_key="/customer", max_concurrent=1))
        runs = await house.create(keyed(8), *(keyed(7) for _ in range(4)))
        await house.dispatch()
        await house.succeed(runs[0])

        for _ in range(10):
            await house.handle(FollowEnds())
            await house.dispatch()

        assert [run.state in UNDER_WAY for run in await house.runs()].count(True) == 1

    async def test_stands_though_the_job_has_no_key_any_more(self, house: House) -> None:
        """The promise was made to the runs."""
        job = a_job(concurrency_key="/customer")
        await house.has(job)
        runs = await house.create(keyed(7), keyed(7))
        await house.dispatch()
        await house.handle(
            ChangeJob(tenant_id=ACME, job_id=job.id, revise=lambda job: replace(job.definition, concurrency_key=None))
        )

        await house.handle(FollowEnds())
        assert await parked(house, runs) == [1]
        await house.succeed(runs[0])
        await house.handle(FollowEnds())
        await house.dispatch()

        assert (await house.again(runs[1])).state is RunState.QUEUED

    async def test_of_one_tenant_is_not_that_of_another(self, house: House) -> None:
        await house.has(*(a_job(concurrency_key="/customer", tenant_id=tenant) for tenant in (ACME, GLOBEX)))
        own, theirs = await house.create(keyed(7), keyed(7)), await house.create(keyed(7), keyed(7), tenant_id=GLOBEX)
        await house.dispatch()

        await house.succeed(theirs[0])
        await house.handle(FollowEnds())

        assert (await parked(house, own), await parked(house, theirs)) == ([1], [])


class TestBothGates:
    async def test_a_run_behind_its_schedule_meets_its_key_next(self, house: House) -> None:
        """The first run of the schedule is held up by another of the same customer; the second waits behind it."""
        job = a_job(concurrency_key="/customer")
        schedule = a_schedule(job=job, overlap=Overlap.QUEUE, payload=Json('{"customer": 7}'))
        await house.has(job, schedule)
        (other,) = await house.create(keyed(7))
        await house.dispatch()
        await house.handle(FireSchedules(epoch=1))
        house.clock.advance(MINUTE)
        await house.handle(FireSchedules(epoch=1))
        first, second = [run for run in await house.runs() if run.schedule_id]

        await house.dispatch()
        await house.handle(FollowEnds())
        assert await gates(house, first, second) == ["key", "schedule"]
        await house.succeed(other)
        await go_on(house)
        assert await gates(house, first, second) == [None, "schedule"]
        await house.succeed(first)
        await go_on(house)

        assert (await house.again(second)).state is RunState.QUEUED


class TestAFixedDelay:
    """Ten minutes after the last run ended."""

    @pytest.fixture
    async def schedule(self, house: House) -> Schedule:
        schedule = a_schedule(FixedDelay(10 * MINUTE))
        await house.has(a_job(), schedule)
        await house.handle(FireSchedules(epoch=1))
        return schedule

    async def next_of(self, house: House, schedule: Schedule) -> object:
        return (await house.schedule(schedule.id)).snapshot().next_fire_at

    async def test_waits_while_its_run_goes(self, house: House, schedule: Schedule) -> None:
        house.clock.advance(HOUR)

        assert await house.handle(FollowEnds()) == 0
        assert await house.handle(FireSchedules(epoch=1)) == 0
        assert await self.next_of(house, schedule) is None

    @pytest.mark.parametrize("ending", ["succeed", "fail"])
    async def test_counts_from_the_end_of_its_run_not_from_the_look(
        self, house: House, schedule: Schedule, ending: str
    ) -> None:
        run = await house.only_run()
        house.clock.set(NOON + 3 * MINUTE)
        await house.start(run)
        if ending == "succeed":
            await house.succeed(run)
        else:
            await house.fail(run, retryable=False)

        house.clock.advance(SECOND)
        assert [await house.handle(FollowEnds()), await house.handle(FollowEnds())] == [1, 0]

        assert await self.next_of(house, schedule) == NOON + 13 * MINUTE

    async def test_does_not_count_from_an_attempt_that_is_tried_again(self, house: House, schedule: Schedule) -> None:
        await house.fail(await house.only_run())

        assert await house.handle(FollowEnds()) == 0

    async def test_never_has_two_runs_at_once(self, house: House, schedule: Schedule) -> None:
        for step in range(200):
            house.clock.advance(MINUTE)
            await house.handle(FireSchedules(epoch=1))
            unfinished = [run for run in await house.runs() if not run.state.is_final]
            assert len(unfinished) <= 1
            if step % 7 == 0:
                await house.succeed(*unfinished)
            await house.handle(FollowEnds())

        assert len(await house.runs()) > 10

    async def test_counts_from_the_decision_where_a_due_time_was_missed(self, house: House) -> None:
        schedule = a_schedule(FixedDelay(10 * MINUTE), policy=MisfirePolicy.SKIP)
        await house.has(a_job(), schedule)
        house.clock.set(NOON + HOUR)

        await house.handle(FireSchedules(epoch=1))

        assert await self.next_of(house, schedule) == NOON + HOUR + 10 * MINUTE
        assert await house.handle(FollowEnds()) == 0

    async def test_pays_no_heed_to_runs_that_somebody_asked_for(self, house: House, schedule: Schedule) -> None:
        await house.succeed(await house.only_run())
        manual = a_run(RunState.QUEUED, schedule_id=schedule.id)
        await house.has(manual)

        assert await house.handle(FollowEnds()) == 1

    async def test_that_was_disabled_meanwhile_stays_so(self, house: House, schedule: Schedule) -> None:
        await house.handle(DisableSchedule(tenant_id=ACME, schedule_id=schedule.id))
        await house.succeed(await house.only_run())

        assert await house.handle(FollowEnds()) == 0
        assert await self.next_of(house, schedule) is None

    async def test_that_is_enabled_is_armed_anew(self, house: House, schedule: Schedule) -> None:
        await house.handle(DisableSchedule(tenant_id=ACME, schedule_id=schedule.id))
        house.clock.advance(HOUR)

        await house.handle(EnableSchedule(tenant_id=ACME, schedule_id=schedule.id))

        assert await self.next_of(house, schedule) == NOON + HOUR

    async def test_that_has_made_all_its_runs_is_at_its_end(self, house: House) -> None:
        schedule = a_schedule(FixedDelay(10 * MINUTE), max_runs=1)
        await house.has(a_job(), schedule)
        await house.handle(FireSchedules(epoch=1))
        await house.succeed(await house.only_run())

        assert await house.handle(FollowEnds()) == 0
        assert await self.next_of(house, schedule) is None

    async def test_is_passed_over_while_somebody_else_holds_the_schedule(
        self, house: House, schedule: Schedule
    ) -> None:
        await house.succeed(await house.only_run())
        async with house.begin() as work:
            await work.schedules.get(ACME, schedule.id)

            assert await house.handle(FollowEnds()) == 0

        assert await house.handle(FollowEnds()) == 1


def keyed(customer: int) -> RunDraft:
    return RunDraft(job=JOB, payload=Json(f'{{"customer": {customer}}}'))


async def parked(house: House, runs: Sequence[Run]) -> list[int]:
    """Which of them wait at a gate, by their places."""
    now = [await house.again(run) for run in runs]
    return [place for place, run in enumerate(now) if run.parked_on]


async def gates(house: House, *runs: Run) -> list[str | None]:
    """The kind of gate that each waits at."""
    found = [(await house.again(run)).parked_on for run in runs]
    return [gate and gate.partition(":")[0] for gate in found]


async def go_on(house: House) -> None:
    await house.handle(FollowEnds())
    await house.dispatch()


async def no_more_attempts(house: House, tenant_id: TenantId = ACME) -> None:
    job = a_job(max_attempts=1)
    await house.handle(
        ChangeJob(
            tenant_id=tenant_id,
            job_id=job.id,
            revise=lambda stored: replace(stored.definition, retry=job.terms().retry),
        )
    )
