"""The tick: each due time is one run or part of one miss, whoever decides it, and however often."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.support.builders import HOUR, MINUTE, NOON, SECOND, a_job, a_schedule, next_id
from tests.unit.application.house import House, Meanwhile, due_times, states

from rota.application.catch_up import CatchUpOnce
from rota.application.change_schedule import ChangeSchedule
from rota.application.delete_schedule import DeleteSchedule
from rota.application.disable_schedule import DisableSchedule
from rota.application.drafts import NamedJob, ScheduleDraft
from rota.application.fire_schedules import FireSchedules
from rota.application.ports.checkpoint import Checkpoint
from rota.application.send_again import SendAgain
from rota.domain.ids import RunId
from rota.domain.misfire import DueTime, MisfirePolicy
from rota.domain.payload import Json
from rota.domain.run_events import Cause, RunState
from rota.domain.schedule import Schedule
from rota.domain.trigger import FixedRate, OneShot
from rota.domain.walk import AT_ONCE, PORTION


class StoppedError(Exception):
    """The process ends here."""


def stopping_at(point: str) -> Checkpoint:
    def at(name: str) -> None:
        if name == point:
            raise StoppedError

    return at


async def has_schedule(house: House, schedule: Schedule) -> Schedule:
    await house.has(a_job(), schedule)
    return schedule


class TestADueTime:
    async def test_becomes_one_run_that_is_sent_at_once(self, house: House) -> None:
        job = a_job()
        schedule = a_schedule(payload=Json('{"kind": "full"}'), labels={"team": "bi"})
        await house.has(job, schedule)

        assert await house.handle(FireSchedules(epoch=1)) == 1

        run = await house.only_run()
        assert (run.cause, run.state, run.attempt) == (Cause.SCHEDULE, RunState.QUEUED, 1)
        assert (run.schedule_id, run.scheduled_for, run.due_at, run.fired_at) == (schedule.id, NOON, NOON, NOON)
        assert (run.payload, run.labels, run.fired_epoch) == ('{"kind": "full"}', {"team": "bi"}, 1)
        assert [(item.run_id, item.attempt, item.sends) for item in await house.taken(job)] == [(run.id, 1, 0)]

    async def test_is_decided_once(self, house: House) -> None:
        await has_schedule(house, a_schedule())
        await house.handle(FireSchedules(epoch=1))

        assert await house.handle(FireSchedules(epoch=1)) == 0
        assert len(await house.runs()) == 1

    async def test_that_has_not_come_is_left_alone(self, house: House) -> None:
        await has_schedule(house, a_schedule(OneShot(NOON + timedelta(microseconds=1))))

        assert await house.handle(FireSchedules(epoch=1)) == 0
        assert await house.runs() == []

    async def test_is_never_acted_on_early(self, house: House) -> None:
        await has_schedule(house, a_schedule(FixedRate(timedelta(seconds=1.7), NOON)))

        for _ in range(40):
            await house.handle(FireSchedules(epoch=1))
            house.clock.advance(SECOND)

        runs = await house.runs()
        assert due_times(runs) == [NOON + n * timedelta(seconds=1.7) for n in range(len(runs))]
        assert len(runs) == 23
        assert all(run.fired_at is not None and run.fired_at >= run.due_at for run in runs)

    async def test_of_a_disabled_schedule_is_none(self, house: House) -> None:
        await has_schedule(house, a_schedule(enabled=False))

        assert await house.handle(FireSchedules(epoch=1)) == 0
        assert await house.runs() == []

    async def test_moves_the_schedule_on(self, house: House) -> None:
        schedule = await has_schedule(house, a_schedule())

        await house.handle(FireSchedules(epoch=1))

        after = (await house.schedule(schedule.id)).snapshot()
        assert (after.last_fire_at, after.next_fire_at, after.version) == (NOON, NOON + MINUTE, 1)

    async def test_that_has_its_run_already_moves_the_schedule_on_and_is_not_sent_again(self, house: House) -> None:
        job, schedule = a_job(), a_schedule()
        backfilled = schedule.run_for(
            DueTime(NOON, NOON), RunId(next_id()), now=NOON, epoch=None, cause=Cause.BACKFILL
        ).accept()
        await house.has(job, schedule, backfilled)

        await house.handle(FireSchedules(epoch=1))

        assert (await house.only_run()).id == backfilled.id
        assert await house.taken(job) == []
        assert (await house.schedule(schedule.id)).next == DueTime(NOON + MINUTE, NOON + MINUTE)

    async def test_of_many_schedules_is_decided_in_batches(self, house: House) -> None:
        await house.has(a_job(), *(a_schedule(OneShot(NOON), name=f"{n}") for n in range(1_001)))

        assert [await house.handle(FireSchedules(epoch=1)) for _ in range(3)] == [1_000, 1, 0]
        assert len(await house.runs()) == 1_001


class TestSomethingElseHappensBetweenReadingAndStoring:
    """`Meanwhile` puts it between the two units of work of a tick."""

    async def test_another_leader_decides_the_same(self, house: House) -> None:
        job = a_job()
        await house.has(job, a_schedule())
        other = house.wired()
        slow = house.wired(Meanwhile(house.begin, 2, lambda: other.bus.handle(FireSchedules(epoch=2))))

        await slow.bus.handle(FireSchedules(epoch=2))

        run = await house.only_run()
        assert slow.sender.is_idle
        assert not other.sender.is_idle
        assert run.scheduled_for == NOON

    async def test_another_leader_decides_part_of_the_same(self, house: House) -> None:
        """Each due time belongs to whoever stored it, whichever of its neighbours went to the other."""
        await has_schedule(house, a_schedule(FixedRate(SECOND, NOON)))
        other = house.wired()

        async def the_other_goes_on_without_it() -> None:
            await other.bus.handle(FireSchedules(epoch=1))
            house.clock.advance(3 * SECOND)
            await other.bus.handle(FireSchedules(epoch=1))

        slow = house.wired(Meanwhile(house.begin, 2, the_other_goes_on_without_it))
        await slow.bus.handle(FireSchedules(epoch=1))
        await slow.bus.handle(FireSchedules(epoch=1))

        assert due_times(await house.runs()) == [NOON + n * SECOND for n in range(4)]

    async def test_the_schedule_is_changed(self, house: House) -> None:
        """The change has settled the due time under the old definition; the tick adds nothing to that."""
        job = a_job()
        schedule = a_schedule(payload=Json('"old"'))
        await house.has(job, schedule)
        change = ChangeSchedule(
            tenant_id=schedule.tenant_id,
            schedule_id=schedule.id,
            revise=lambda _: ScheduleDraft(
                name="daily-report",
                trigger=FixedRate(HOUR, NOON + HOUR),
                target=NamedJob(job.definition.name, Json('"new"')),
                tz="UTC",
            ),
        )
        slow = house.wired(Meanwhile(house.begin, 2, lambda: house.handle(change)))

        await slow.bus.handle(FireSchedules(epoch=1))

        run = await house.only_run()
        assert (run.scheduled_for, run.payload, run.state) == (NOON, '"old"', RunState.PENDING)
        assert slow.sender.is_idle
        assert (await house.schedule(schedule.id)).next == DueTime(NOON + HOUR, NOON + HOUR)

    @pytest.mark.parametrize("stopped_by", [DisableSchedule, DeleteSchedule])
    async def test_the_schedule_is_stopped(
        self, house: House, stopped_by: type[DisableSchedule] | type[DeleteSchedule]
    ) -> None:
        schedule = await has_schedule(house, a_schedule())

        async def stop() -> None:
            if stopped_by is DisableSchedule:
                await house.handle(DisableSchedule(tenant_id=schedule.tenant_id, schedule_id=schedule.id))
            else:
                await house.handle(DeleteSchedule(tenant_id=schedule.tenant_id, schedule_id=schedule.id))

        slow = house.wired(Meanwhile(house.begin, 2, stop))
        await slow.bus.handle(FireSchedules(epoch=1))
        house.clock.advance(HOUR)
        await slow.bus.handle(FireSchedules(epoch=1))

        assert due_times(await house.runs()) == [NOON]

    async def test_somebody_is_at_work_on_the_schedule(self, house: House) -> None:
        schedule = await has_schedule(house, a_schedule())
        async with house.begin() as work:
            await work.schedules.get(schedule.tenant_id, schedule.id)

            await house.handle(FireSchedules(epoch=1))

        assert await house.runs() == []
        await house.handle(FireSchedules(epoch=1))
        assert due_times(await house.runs()) == [NOON]


class TestEpochs:
    async def test_a_leader_whose_time_is_over_no_longer_moves_a_schedule(self, house: House) -> None:
        await has_schedule(house, a_schedule())
        await house.handle(FireSchedules(epoch=2))
        house.clock.advance(MINUTE)

        await house.handle(FireSchedules(epoch=1))

        assert due_times(await house.runs()) == [NOON]

    async def test_its_successor_does(self, house: House) -> None:
        await has_schedule(house, a_schedule())
        await house.handle(FireSchedules(epoch=2))
        house.clock.advance(MINUTE)

        await house.handle(FireSchedules(epoch=3))

        assert [(run.scheduled_for, run.fired_epoch) for run in await house.runs()] == [(NOON, 2), (NOON + MINUTE, 3)]


class TestTheBusIsDown:
    async def test_runs_wait_in_the_store_and_go_once_it_is_back(self, house: House) -> None:
        job = a_job()
        await house.has(job, a_schedule())
        house.lanes.up = False

        await house.handle(FireSchedules(epoch=1))
        assert states(await house.runs()) == [RunState.PENDING]
        assert (await house.dispatch()).moved == 0

        house.lanes.up = True
        house.clock.advance(SECOND)
        assert (await house.dispatch()).moved == 1

        run = await house.only_run()
        assert (run.state, run.fired_at, run.queued_at) == (RunState.QUEUED, NOON, NOON + SECOND)
        assert [item.run_id for item in await house.taken(job)] == [run.id]


class TestMisfires:
    """An hour late, due each minute, with a grace of thirty seconds."""

    late = NOON + HOUR + SECOND

    async def decided(self, house: House, policy: MisfirePolicy, catchup_window: timedelta | None = None) -> Schedule:
        schedule = a_schedule(
            policy=policy, catchup_window=catchup_window, now=NOON, trigger=FixedRate(MINUTE, NOON + SECOND)
        )
        await house.has(a_job(), schedule)
        house.clock.set(self.late + 45 * SECOND)
        await house.handle(FireSchedules(epoch=1))
        return schedule

    async def test_fire_once_runs_the_latest_and_records_the_rest(self, house: House) -> None:
        schedule = await self.decided(house, MisfirePolicy.FIRE_ONCE)

        assert due_times(await house.runs()) == [self.late]
        assert await house.misses(schedule) == [(NOON + SECOND, self.late - MINUTE, 60, "FIRE_ONCE")]
        assert (await house.event_types()).count("run.missed") == 1

    async def test_skip_runs_none_and_records_all(self, house: House) -> None:
        schedule = await self.decided(house, MisfirePolicy.SKIP)

        assert await house.runs() == []
        assert await house.misses(schedule) == [(NOON + SECOND, self.late, 61, "SKIP")]

    async def test_fire_all_sets_all_aside_for_catching_up(self, house: House) -> None:
        schedule = await self.decided(house, MisfirePolicy.FIRE_ALL)

        assert await house.runs() == []
        assert await house.misses(schedule) == []
        (catch_up,) = house.catch_ups
        assert (catch_up.schedule_id, catch_up.revision) == (schedule.id, 1)
        assert (catch_up.span.first, catch_up.span.last, catch_up.span.count) == (NOON + SECOND, self.late, 61)

    async def test_fire_all_has_a_window_beyond_which_it_misses(self, house: House) -> None:
        schedule = await self.decided(house, MisfirePolicy.FIRE_ALL, catchup_window=10 * MINUTE)

        (catch_up,) = house.catch_ups
        assert (catch_up.span.first, catch_up.span.count) == (self.late - 9 * MINUTE, 10)
        assert await house.misses(schedule) == [(NOON + SECOND, self.late - 10 * MINUTE, 51, "FIRE_ALL")]

    @pytest.mark.parametrize("policy", list(MisfirePolicy))
    async def test_what_is_inside_the_grace_fires_under_every_policy(self, house: House, policy: MisfirePolicy) -> None:
        await has_schedule(house, a_schedule(FixedRate(10 * SECOND, NOON), policy=policy))
        house.clock.set(NOON + 30 * SECOND)

        await house.handle(FireSchedules(epoch=1))

        assert due_times(await house.runs()) == [NOON + n * 10 * SECOND for n in range(4)]


class TestALongBacklog:
    async def test_is_decided_in_portions(self, house: House) -> None:
        schedule = await has_schedule(
            house, a_schedule(FixedRate(SECOND, NOON), policy=MisfirePolicy.SKIP, grace=0 * SECOND)
        )
        house.clock.set(NOON + (PORTION + 500) * SECOND)

        assert [await house.handle(FireSchedules(epoch=1)) for _ in range(3)] == [1, 1, 0]

        spans = sorted(await house.misses(schedule))
        assert [count for _, _, count, _ in spans] == [PORTION, 500]
        assert spans[1][0] == spans[0][1] + SECOND
        assert due_times(await house.runs()) == [NOON + (PORTION + 500) * SECOND]

    async def test_fire_once_over_several_portions_still_fires_once(self, house: House) -> None:
        await has_schedule(house, a_schedule(FixedRate(SECOND, NOON), grace=0 * SECOND))
        last = NOON + (2 * PORTION + 7) * SECOND
        house.clock.set(last + SECOND / 2)

        while await house.handle(FireSchedules(epoch=1)):
            pass

        assert due_times(await house.runs()) == [last]

    async def test_of_several_schedules_shares_the_budget_of_a_tick(self, house: House) -> None:
        trigger = FixedRate(SECOND, NOON)
        await house.has(a_job(), *(a_schedule(trigger, name=name, policy=MisfirePolicy.SKIP) for name in "abcd"))
        house.clock.set(NOON + 2 * PORTION * SECOND)

        assert [await house.handle(FireSchedules(epoch=1)) for _ in range(3)] == [2, 2, 2]

    async def test_leaves_room_for_those_that_come_behind(self, house: House) -> None:
        backlog = [a_schedule(FixedRate(SECOND, NOON), name=name, policy=MisfirePolicy.SKIP) for name in "ab"]
        fresh = a_schedule(OneShot(NOON + 2 * PORTION * SECOND), name="fresh")
        await house.has(a_job(), *backlog, fresh)
        house.clock.set(NOON + 2 * PORTION * SECOND)

        ticks = 0
        while not any(run.schedule_id == fresh.id for run in await house.runs()):
            await house.handle(FireSchedules(epoch=1))
            ticks += 1

        assert ticks <= 4


class TestMoreThanCanBeMadeAtOnce:
    """An hour of seconds, all inside the grace: every one fires, most of them by a catch-up."""

    async def test_the_latest_fire_now_and_those_before_them_are_set_aside(self, house: House) -> None:
        await has_schedule(house, a_schedule(FixedRate(SECOND, NOON), grace=HOUR))
        house.clock.set(NOON + HOUR)

        await house.handle(FireSchedules(epoch=1))

        runs = await house.runs()
        assert due_times(runs) == [NOON + HOUR - n * SECOND for n in reversed(range(AT_ONCE))]
        (catch_up,) = house.catch_ups
        assert (catch_up.span.first, catch_up.span.count) == (NOON, 3_601 - AT_ONCE)

    async def test_in_the_end_each_has_its_run(self, house: House) -> None:
        schedule = await has_schedule(house, a_schedule(FixedRate(SECOND, NOON), grace=HOUR))
        house.clock.set(NOON + HOUR)

        await house.handle(FireSchedules(epoch=1))
        while await house.handle(CatchUpOnce()):
            pass

        assert due_times(await house.runs()) == [NOON + n * SECOND for n in range(3_601)]
        assert await house.misses(schedule) == []


class TestTheProcessEnds:
    async def test_before_the_commit_nothing_has_happened_and_another_decides(self, house: House) -> None:
        job = a_job()
        schedule = a_schedule()
        await house.has(job, schedule)
        with pytest.raises(StoppedError):
            await house.wired(at=stopping_at("fire.before_commit")).bus.handle(FireSchedules(epoch=1))
        assert await house.events() == []

        await house.handle(FireSchedules(epoch=2))

        run = await house.only_run()
        assert [item.run_id for item in await house.taken(job)] == [run.id]

    async def test_between_commit_and_sending_the_next_leader_sends(self, house: House) -> None:
        job = a_job()
        await house.has(job, a_schedule())
        with pytest.raises(StoppedError):
            await house.wired(at=stopping_at("fire.after_commit")).bus.handle(FireSchedules(epoch=1))

        assert await house.handle(FireSchedules(epoch=2)) == 0
        async with house.sending():
            await house.handle(SendAgain())

        run = await house.only_run()
        assert [(item.run_id, item.attempt) for item in await house.taken(job)] == [(run.id, 1)]

    async def test_each_point_is_passed_in_its_order(self, house: House) -> None:
        await has_schedule(house, a_schedule())

        await house.handle(FireSchedules(epoch=1))

        assert house.passed == [
            "fire.begun",
            "fire.advanced",
            "fire.before_commit",
            "fire.after_commit",
            "fire.after_send",
        ]
