"""Turns: of the runs that wait for one, those go next that limits and fairness allow."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.support.builders import ACME, GLOBEX, HOUR, MINUTE, NOON, SECOND, a_job, a_run, a_schedule
from tests.unit.application.house import BeforeCommit, House

from rota.application.change_job import ChangeJob
from rota.application.create_runs import RunDraft
from rota.application.dispatch import WINDOW
from rota.application.dispatch_runs import ROUND, Dispatched, DispatchRuns
from rota.application.fire_schedules import FireSchedules
from rota.application.follow_ends import FollowEnds
from rota.application.wake_runs import WakeRuns
from rota.domain.delivery import AT_ONCE, Delivery, EventReceiver, HttpReceiver
from rota.domain.ids import TenantId
from rota.domain.job import Job
from rota.domain.payload import Json
from rota.domain.run import Run
from rota.domain.run_events import RunState
from rota.domain.terms import RateLimit

JOB = "reports.daily"
BATCH = 1_000


def drafts(count: int, job: str = JOB) -> list[RunDraft]:
    return [RunDraft(job=job)] * count


def keyed(customer: int, **more: Any) -> RunDraft:
    """`more` is what else a draft says."""
    return RunDraft(job=JOB, payload=Json(f'{{"customer": {customer}}}'), **more)


async def waiting(house: House, count: int, tenant_id: TenantId = ACME) -> list[Run]:
    """So many runs of the ordinary job that found the bus away, and wait for their turn now that it is back."""
    house.lanes.up = False
    runs: list[Run] = []
    while len(runs) < count:
        runs += await house.create(*drafts(min(BATCH, count - len(runs))), tenant_id=tenant_id)
    house.lanes.up = True
    return runs


async def moved(house: House, rounds: int) -> list[int]:
    return [(await house.dispatch()).moved for _ in range(rounds)]


async def those(house: House, runs: Sequence[Run], state: RunState = RunState.QUEUED) -> list[int]:
    """Which of them are in that state, by their places in `runs`."""
    now = [await house.again(run) for run in runs]
    return [place for place, run in enumerate(now) if run.state is state]


async def under_way(house: House, tenant_id: TenantId = ACME) -> int:
    return sum(run.state in (RunState.QUEUED, RunState.RUNNING) for run in await house.runs(tenant_id))


async def in_turn(house: House, runs: Sequence[Run]) -> list[int]:
    """The order in which they go, each as soon as the one before it has ended."""
    order: list[int] = []
    while (await house.dispatch()).moved:
        gone = await those(house, runs)
        order += gone
        await house.succeed(*(runs[place] for place in gone))
    return order


class TestARound:
    async def test_gives_a_run_its_turn_and_sends_it(self, house: House) -> None:
        job = a_job(max_concurrent=5)
        await house.has(job)
        (run,) = await house.create(*drafts(1))
        house.clock.advance(SECOND)

        assert await house.dispatch() == Dispatched(moved=1, is_waiting=False)

        gone = await house.again(run)
        assert (gone.state, gone.attempt, gone.queued_at, gone.rank) == (RunState.QUEUED, 1, NOON + SECOND, None)
        assert [(item.run_id, item.attempt) for item in await house.taken(job)] == [(run.id, 1)]
        assert await house.event_types() == ["run.created", "run.queued"]

    async def test_with_nobody_in_line_does_nothing(self, house: House) -> None:
        assert await house.dispatch() == Dispatched()

    async def test_says_that_others_still_wait(self, house: House) -> None:
        await house.has(a_job(max_concurrent=1))
        await house.create(*drafts(2))

        assert await house.dispatch() == Dispatched(moved=1, is_waiting=True)
        assert await house.dispatch() == Dispatched(moved=0, is_waiting=True)

    async def test_moves_so_many_at_most(self, house: House) -> None:
        await house.has(a_job())
        await waiting(house, ROUND + 1)

        assert await moved(house, 3) == [ROUND, 1, 0]

    async def test_leaves_alone_what_is_not_due(self, house: House) -> None:
        await house.has(a_job())
        await house.create(RunDraft(job=JOB, run_at=NOON + HOUR))
        house.clock.advance(HOUR)

        assert await house.dispatch() == Dispatched()

    async def test_passes_over_what_somebody_else_holds(self, house: House) -> None:
        await house.has(a_job(max_concurrent=5))
        first, second = await house.create(*drafts(2))
        async with house.begin() as work:
            await work.runs.load([(ACME, first.id)])

            await house.dispatch()

        assert await those(house, [first, second]) == [1]

    async def test_obeys_the_job_as_it_stands(self, house: House) -> None:
        job = a_job(max_concurrent=1)
        await house.has(job)
        await house.create(*drafts(5))
        await house.dispatch()

        await change(house, job, max_concurrent=3)
        await house.dispatch()
        assert await under_way(house) == 3

        await change(house, job, max_concurrent=1)
        assert await house.dispatch() == Dispatched(moved=0, is_waiting=True)


async def change(house: House, job: Job, **terms: Any) -> None:
    await house.handle(ChangeJob(tenant_id=ACME, job_id=job.id, revise=lambda job: replace(job.definition, **terms)))


class TestTheOrderInALane:
    @pytest.fixture
    async def job(self, house: House) -> Job:
        """Of which one goes at a time."""
        job = a_job(max_concurrent=1)
        await house.has(job)
        return job

    async def test_is_that_of_the_due_times(self, house: House, job: Job) -> None:
        late, early = await house.create(RunDraft(job=JOB), RunDraft(job=JOB, run_at=NOON - MINUTE))

        assert await in_turn(house, [late, early]) == [1, 0]

    async def test_is_that_of_arrival_among_equals(self, house: House, job: Job) -> None:
        runs = await house.create(*drafts(5))

        assert await in_turn(house, runs) == [0, 1, 2, 3, 4]

    async def test_lets_a_higher_priority_go_first(self, house: House, job: Job) -> None:
        runs = await house.create(*(RunDraft(job=JOB, priority=priority) for priority in (-1, 0, 100, 1)))

        assert await in_turn(house, runs) == [2, 3, 1, 0]

    async def test_lets_waiting_outweigh_priority_in_the_end(self, house: House, job: Job) -> None:
        """Each step of priority is worth a minute."""
        (patient,) = await house.create(RunDraft(job=JOB))
        house.clock.set(NOON + 2 * MINUTE + SECOND)
        urgent = await house.create(RunDraft(job=JOB, priority=2), RunDraft(job=JOB, priority=3))

        assert await in_turn(house, [patient, *urgent]) == [2, 0, 1]

    async def test_knows_the_jobs_priority_where_the_run_has_none(self, house: House) -> None:
        await house.has(a_job(max_concurrent=1, priority=5))
        runs = await house.create(RunDraft(job=JOB, priority=4), RunDraft(job=JOB), RunDraft(job=JOB, priority=6))

        assert await in_turn(house, runs) == [2, 1, 0]

    async def test_knows_the_schedules_priority_before_the_jobs(self, house: House) -> None:
        job = a_job(max_concurrent=1, priority=5)
        await house.has(job, a_schedule(job=job, priority=6))
        (asked,) = await house.create(RunDraft(job=JOB))
        await house.handle(FireSchedules(epoch=1))
        (fired,) = [run for run in await house.runs() if run.schedule_id]

        assert await in_turn(house, [asked, fired]) == [1, 0]


class TestTheWindow:
    """What stands in a lane of the bus cannot be chosen from any more; so not too much of it stands there."""

    async def test_is_filled_and_no_more(self, house: House) -> None:
        await house.has(a_job())
        await waiting(house, WINDOW + 1)

        rounds = WINDOW // ROUND
        assert await moved(house, rounds + 1) == [ROUND] * rounds + [0]

    async def test_has_room_again_for_each_that_was_started(self, house: House) -> None:
        await house.has(a_job())
        runs = await waiting(house, WINDOW + 10)
        while (await house.dispatch()).moved:
            pass

        await house.start(*runs[:3])

        assert await moved(house, 2) == [3, 0]

    async def test_of_one_lane_is_not_that_of_another(self, house: House) -> None:
        await house.has(a_job(), a_job("reports.weekly"))
        await waiting(house, WINDOW + 1)
        while (await house.dispatch()).moved:
            pass
        house.lanes.up = False
        (other,) = await house.create(*drafts(1, "reports.weekly"))
        house.lanes.up = True

        await house.dispatch()

        assert (await house.again(other)).state is RunState.QUEUED


class TestMaxConcurrent:
    @pytest.fixture
    async def runs(self, house: House) -> list[Run]:
        """Six, of which three may go at a time."""
        await house.has(a_job(max_concurrent=3))
        return await house.create(*drafts(6))

    async def test_lets_exactly_so_many_go(self, house: House, runs: Sequence[Run]) -> None:
        assert await moved(house, 2) == [3, 0]
        assert await those(house, runs) == [0, 1, 2]

    async def test_counts_those_that_run_with_those_on_the_bus(self, house: House, runs: Sequence[Run]) -> None:
        await house.dispatch()

        await house.start(*runs[:2])

        assert await moved(house, 1) == [0]

    @pytest.mark.parametrize("ending", ["succeed", "fail"])
    async def test_lets_another_go_for_each_that_ended_its_attempt(
        self, house: House, runs: Sequence[Run], ending: str
    ) -> None:
        await house.dispatch()

        await getattr(house, ending)(runs[1])

        assert await moved(house, 2) == [1, 0]
        assert await those(house, runs) == [0, 2, 3]

    async def test_holds_for_the_next_attempt_too(self, house: House, runs: Sequence[Run]) -> None:
        await house.dispatch()
        await house.fail(runs[0])
        await house.dispatch()
        house.clock.advance(MINUTE)

        await house.handle(WakeRuns())
        await house.dispatch()

        assert await under_way(house) == 3

    async def test_of_one_job_limits_no_other(self, house: House, runs: Sequence[Run]) -> None:
        await house.has(a_job("reports.weekly", max_concurrent=1))
        await house.create(*drafts(2, "reports.weekly"))

        assert await moved(house, 1) == [4]


class TestRateLimit:
    """Ten in ten seconds: a bucket of ten starts that refills by one each second."""

    @pytest.fixture
    async def runs(self, house: House) -> list[Run]:
        await house.has(a_job(rate_limit=RateLimit(10, 10 * SECOND)))
        return await house.create(*drafts(100))

    async def test_lets_a_full_bucket_go_at_once(self, house: House, runs: Sequence[Run]) -> None:
        assert await moved(house, 2) == [10, 0]

    async def test_refills_evenly(self, house: House, runs: Sequence[Run]) -> None:
        await house.dispatch()
        gone = []
        for _ in range(8):
            house.clock.advance(SECOND / 2)
            gone += await moved(house, 1)

        assert gone == [0, 1] * 4

    async def test_saves_up_no_more_than_a_bucket(self, house: House, runs: Sequence[Run]) -> None:
        await house.dispatch()
        house.clock.advance(HOUR)

        assert await moved(house, 2) == [10, 0]

    async def test_never_lets_more_start_in_any_stretch_of_time_than_a_bucket_and_what_flows_in(
        self, house: House, runs: Sequence[Run]
    ) -> None:
        starts = []
        for step in range(60):
            starts += [step * 0.3] * (await house.dispatch()).moved
            house.clock.advance(timedelta(seconds=0.3))

        assert len(starts) == 10 + 17
        for first, begun in enumerate(starts):
            for last in range(first, len(starts)):
                assert last - first + 1 <= 10 + (starts[last] - begun) + 1e-6

    async def test_is_remembered_by_the_next_leader(self, house: House, runs: Sequence[Run]) -> None:
        await house.dispatch()
        next_leader = house.wired()

        assert (await next_leader.bus.handle(DispatchRuns())).moved == 0
        house.clock.advance(2 * SECOND)
        assert (await next_leader.bus.handle(DispatchRuns())).moved == 2
        assert await moved(house, 1) == [0]

    async def test_counts_attempts_not_runs(self, house: House, runs: Sequence[Run]) -> None:
        await house.dispatch()
        await house.fail(*runs[:10])
        house.clock.advance(10 * SECOND)
        await house.handle(WakeRuns())

        assert await moved(house, 2) == [10, 0]

    async def test_spends_nothing_on_a_run_that_is_too_late(self, house: House) -> None:
        await house.has(a_job(rate_limit=RateLimit(1, HOUR), start_by=MINUTE))
        await house.create(RunDraft(job=JOB, run_at=NOON - MINUTE), RunDraft(job=JOB))

        await house.dispatch()
        await house.dispatch()

        assert [run.state for run in await house.runs()] == [RunState.DEAD, RunState.QUEUED]

    async def test_holds_beside_max_concurrent(self, house: House) -> None:
        await house.has(a_job(rate_limit=RateLimit(5, 5 * SECOND), max_concurrent=3))
        runs = await house.create(*drafts(20))

        await house.dispatch()
        assert await those(house, runs) == [0, 1, 2]
        await house.succeed(*runs[:3])
        await house.dispatch()

        assert await those(house, runs) == [3, 4]


class TestAConcurrencyKey:
    @pytest.fixture
    async def job(self, house: House) -> Job:
        job = a_job(concurrency_key="/customer")
        await house.has(job)
        return job

    async def test_lets_one_go_and_parks_the_others(self, house: House, job: Job) -> None:
        runs = await house.create(*(keyed(7) for _ in range(3)))

        assert await moved(house, 2) == [3, 0]

        now = [await house.again(run) for run in runs]
        assert [run.state for run in now] == [RunState.QUEUED, RunState.PENDING, RunState.PENDING]
        assert {run.parked_on for run in now} == {None, f"key:{job.id}:7"}
        assert [item.run_id for item in await house.taken(job)] == [runs[0].id]

    async def test_opens_for_one_after_the_other_once_the_last_has_ended(self, house: House, job: Job) -> None:
        runs = await house.create(*(keyed(7) for _ in range(3)))
        await house.dispatch()

        order = []
        for _ in runs:
            (gone,) = await those(house, runs)
            order.append(gone)
            await house.start(runs[gone])
            assert await house.handle(FollowEnds()) == 0
            await house.succeed(runs[gone])
            await house.handle(FollowEnds())
            await house.dispatch()

        assert order == [0, 1, 2]

    async def test_is_one_for_each_value(self, house: House, job: Job) -> None:
        runs = await house.create(keyed(7), keyed(8), keyed(7), RunDraft(job=JOB), RunDraft(job=JOB))

        await house.dispatch()

        assert await those(house, runs) == [0, 1, 3, 4]

    async def test_of_one_job_is_not_that_of_another(self, house: House, job: Job) -> None:
        other = a_job("reports.weekly", concurrency_key="/customer")
        await house.has(other)
        runs = await house.create(keyed(7), RunDraft(job="reports.weekly", payload=Json('{"customer": 7}')))

        await house.dispatch()

        assert await those(house, runs) == [0, 1]

    async def test_is_free_while_its_run_waits_out_a_backoff(self, house: House, job: Job) -> None:
        """The failed one gets in line again behind the other."""
        first, second = await house.create(keyed(7), keyed(7))
        await house.dispatch()
        await house.start(first)
        await house.fail(first)
        await house.handle(FollowEnds())
        await house.dispatch()
        house.clock.advance(MINUTE)

        await house.handle(WakeRuns())
        await house.dispatch()

        parked = await house.again(first)
        assert (parked.state, parked.parked_on is not None) == (RunState.RETRYING, True)
        await house.succeed(second)
        await house.handle(FollowEnds())
        await house.dispatch()
        assert (await house.again(first)).attempt == 2

    async def test_keeps_the_order_of_priority_behind_its_gate(self, house: House, job: Job) -> None:
        runs = await house.create(keyed(7), keyed(7), keyed(7, priority=9))
        await house.dispatch()
        (first,) = await those(house, runs)

        await house.succeed(runs[first])
        await house.handle(FollowEnds())
        await house.dispatch()

        assert (first, await those(house, runs)) == (2, [0])

    async def test_holds_up_no_other_value_of_a_limited_job(self, house: House) -> None:
        await house.has(a_job(concurrency_key="/customer", max_concurrent=2))
        runs = await house.create(*(keyed(7) for _ in range(5)), keyed(8))

        while (await house.dispatch()).moved:
            pass

        assert await those(house, runs) == [0, 5]


class TestTwoDispatchersAtOnce:
    async def test_only_one_gives_turns(self, house: House) -> None:
        await house.has(a_job(max_concurrent=3))
        runs = await house.create(*drafts(10))
        other = house.wired()
        answers: list[Dispatched] = []

        async def the_other_tries_too() -> None:
            answers.append(await other.bus.handle(DispatchRuns()))

        slow = house.wired(BeforeCommit(house.begin, the_other_tries_too))

        await slow.bus.handle(DispatchRuns())

        assert answers == [Dispatched(moved=0, is_waiting=True)]
        assert await those(house, runs) == [0, 1, 2]
        assert other.sender.is_idle

    @pytest.mark.parametrize(
        ("limit", "most"),
        [({"max_concurrent": 3}, 3), ({"rate_limit": RateLimit(4, HOUR)}, 4), ({"concurrency_key": "/customer"}, 1)],
        ids=lambda limit: next(iter(limit)) if isinstance(limit, dict) else "",
    )
    async def test_never_exceed_a_limit_between_them(self, house: House, limit: dict[str, Any], most: int) -> None:
        await house.has(a_job(**limit))
        await house.create(*(keyed(7) for _ in range(10)))
        both = [house.wired(), house.wired()]

        for _ in range(5):
            await asyncio.gather(*(each.bus.handle(DispatchRuns()) for each in both))

        assert await under_way(house) == most

    async def test_a_process_that_ended_in_the_middle_has_given_no_turns_and_spent_nothing(self, house: House) -> None:
        await house.has(a_job(rate_limit=RateLimit(2, HOUR)))
        await house.create(*drafts(3))

        async def the_process_ends() -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await house.wired(BeforeCommit(house.begin, the_process_ends)).bus.handle(DispatchRuns())

        assert await under_way(house) == 0
        assert await moved(house, 1) == [2]


class TestTooLate:
    @pytest.mark.parametrize(
        ("limit", "error"), [({"start_by": MINUTE}, "StartByExceeded"), ({"deadline": MINUTE}, "DeadlineExceeded")]
    )
    async def test_a_run_whose_turn_comes_too_late_ends_and_the_next_goes(
        self, house: House, limit: dict[str, Any], error: str
    ) -> None:
        job = a_job(max_concurrent=2, **limit)
        await house.has(job)
        runs = await house.create(RunDraft(job=JOB, run_at=NOON - MINUTE), RunDraft(job=JOB))

        await house.dispatch()

        dead = await house.again(runs[0])
        assert (dead.state, dead.error and dead.error.type, dead.rank) == (RunState.DEAD, error, None)
        assert [item.run_id for item in await house.taken(job)] == [runs[1].id]

    async def test_one_that_waits_at_a_gate_ends_there(self, house: House) -> None:
        await house.has(a_job(concurrency_key="/customer", deadline=MINUTE))
        first, second = await house.create(keyed(7), keyed(7))
        await house.dispatch()
        await house.start(first)
        house.clock.advance(MINUTE - SECOND)
        await house.succeed(first)
        house.clock.advance(SECOND)

        await house.handle(WakeRuns())

        dead = await house.again(second)
        assert (dead.state, dead.parked_on) == (RunState.DEAD, None)
        assert await house.handle(FollowEnds()) == 0


class TestFairness:
    """Turns are divided among the tenants, not among the runs."""

    @pytest.fixture
    async def flood(self, house: House) -> Sequence[Run]:
        await house.has(a_job())
        return await waiting(house, 3_000)

    async def test_a_quiet_tenant_is_served_in_the_same_round(self, house: House, flood: Sequence[Run]) -> None:
        await house.has(a_job(tenant_id=GLOBEX))
        await waiting(house, 3, GLOBEX)

        assert (await house.dispatch()).moved == ROUND

        assert await under_way(house, GLOBEX) == 3
        assert await under_way(house) == ROUND - 3

    async def test_two_that_flood_get_half_each(self, house: House, flood: Sequence[Run]) -> None:
        await house.has(a_job(tenant_id=GLOBEX))
        await waiting(house, 1_000, GLOBEX)

        await house.dispatch()

        assert (await under_way(house), await under_way(house, GLOBEX)) == (ROUND // 2, ROUND // 2)

    async def test_one_with_many_lanes_gets_no_more_for_them(self, house: House, flood: Sequence[Run]) -> None:
        await house.has(*(a_job(f"job-{n}", tenant_id=GLOBEX) for n in range(9)))
        house.lanes.up = False
        for n in range(9):
            await house.create(*drafts(100, f"job-{n}"), tenant_id=GLOBEX)
        house.lanes.up = True

        await house.dispatch()

        assert (await under_way(house), await under_way(house, GLOBEX)) == (ROUND // 2, ROUND // 2)
        by_job = Counter(run.lane for run in await house.runs(GLOBEX) if run.state is RunState.QUEUED)
        assert max(by_job.values()) - min(by_job.values()) <= 1

    async def test_weights_divide_otherwise(self, house: House, flood: Sequence[Run]) -> None:
        await house.has(a_job(tenant_id=GLOBEX))
        await waiting(house, 1_000, GLOBEX)

        await house.wired(weights={GLOBEX: 4.0}).bus.handle(DispatchRuns())

        assert (await under_way(house), await under_way(house, GLOBEX)) == (ROUND // 5, ROUND // 5 * 4)

    async def test_what_a_limit_keeps_one_from_using_is_the_others(self, house: House, flood: Sequence[Run]) -> None:
        await house.has(a_job(tenant_id=GLOBEX, max_concurrent=7))
        await waiting(house, 1_000, GLOBEX)

        await house.dispatch()

        assert (await under_way(house), await under_way(house, GLOBEX)) == (ROUND - 7, 7)


class TestDeliveries:
    async def test_are_handed_to_those_who_carry_them_out(self, house: House) -> None:
        run = a_run(delivery=Delivery(receiver=EventReceiver("orders.paid")))
        await house.has(run)

        await house.dispatch()

        assert (await house.again(run)).state is RunState.QUEUED
        assert (house.deliveries.count, house.sender.is_idle) == (1, True)

    async def test_to_one_that_hangs_hold_up_no_other(self, house: House) -> None:
        hangs = [a_run(delivery=to("https://hangs.example.com/")) for _ in range(AT_ONCE + 1)]
        other = a_run(delivery=to("https://works.example.com/"))
        await house.has(*hangs, other)

        await house.dispatch()
        await house.dispatch()

        assert len(await those(house, hangs)) == AT_ONCE
        assert (await house.again(other)).state is RunState.QUEUED

    async def test_to_one_receiver_are_counted_for_each_tenant(self, house: House) -> None:
        own = [a_run(delivery=to("https://shared.example.com/")) for _ in range(AT_ONCE + 1)]
        theirs = a_run(job=a_job(tenant_id=GLOBEX), delivery=to("https://shared.example.com/"))
        await house.has(*own, theirs)

        await house.dispatch()

        assert (await house.again(theirs)).state is RunState.QUEUED


def to(url: str) -> Delivery:
    return Delivery(receiver=HttpReceiver(url=url))


class TestTheBusIsDown:
    async def test_jobs_wait_and_deliveries_go(self, house: House) -> None:
        await house.has(a_job())
        house.lanes.up = False
        (job_run,) = await house.create(*drafts(1))
        delivery = a_run(delivery=to("https://hooks.example.com/"))
        await house.has(delivery)

        assert await house.dispatch() == Dispatched(moved=1, is_waiting=True)

        assert (await house.again(job_run)).state is RunState.PENDING
        assert (await house.again(delivery)).state is RunState.QUEUED

    async def test_no_share_of_a_round_is_kept_for_those_that_cannot_go(self, house: House) -> None:
        await house.has(a_job(tenant_id=GLOBEX))
        house.lanes.up = False
        await house.create(*drafts(1_000), tenant_id=GLOBEX)
        receivers = range(ROUND // AT_ONCE + 1)
        await house.has(*(a_run(delivery=to(f"https://h{n}.example.com/")) for n in receivers for _ in range(AT_ONCE)))

        assert (await house.dispatch()).moved == ROUND

    async def test_they_go_once_it_is_back(self, house: House) -> None:
        job = a_job()
        await house.has(job)
        (run,) = await waiting(house, 1)

        await house.dispatch()

        assert [item.run_id for item in await house.taken(job)] == [run.id]
