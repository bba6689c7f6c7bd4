"""What the bus has lost is found out and sent again; what is only on its way is not."""

from __future__ import annotations

import random
from datetime import timedelta

import orjson
import pytest
from tests.support.builders import GLOBEX, SECOND, a_job, a_run, a_worker
from tests.unit.application.house import House

from rota.application.create_runs import CreateRuns, RunDraft
from rota.application.keep_lanes import PAGE, PROOFS, WORK, KeepLanes
from rota.application.ports.bus import Lane, ReportMessage, WorkItem
from rota.application.ports.log import Cursor
from rota.domain.errors import UnavailableError
from rota.domain.ids import RunId
from rota.domain.job import Job
from rota.domain.run_events import RunState
from rota.domain.worker import Worker
from rota.entrypoints.bootstrap.wiring import Wired
from rota.entrypoints.bus.reports import to_take_reports


def lane_of(job: Job) -> Lane:
    return Lane(job.tenant_id, job.id)


async def a_queued_run(house: House, job: Job) -> RunId:
    """On the bus."""
    (accepted,) = await house.handle(CreateRuns(tenant_id=job.tenant_id, drafts=[RunDraft(job=job.definition.name)]))
    await house.flow()
    return accepted.run.id


async def lose_one(house: House, job: Job) -> WorkItem:
    """The bus drops a message that no worker has seen."""
    await house.lanes.provide([lane_of(job)])
    item = house.lanes.take(lane_of(job))
    assert item is not None
    house.lanes.acknowledge(item)
    return item


async def look(house: House, by: Wired | None = None) -> int:
    """Three seconds on, and the keeper looks."""
    house.clock.advance(3 * SECOND)
    keeper = by or house.process
    async with house.sending(keeper.sender):
        return await keeper.bus.handle(KeepLanes())


async def starts(house: House, item: WorkItem, worker: Worker) -> None:
    """STARTED is on its way before the work is acknowledged; intake has yet to take it."""
    said = {"runId": str(item.run_id), "attempt": item.attempt, "workerId": str(worker.id), "kind": "STARTED"}
    house.reports.publish(f"scheduler.report.{item.tenant_id}", orjson.dumps([said]))
    house.lanes.acknowledge(item)


async def intake(house: House, limit: int = 100) -> None:
    messages: list[ReportMessage] = list(await house.reports.fetch(limit, 0))
    if messages:
        await house.handle(to_take_reports(messages))
        await house.reports.acknowledge(messages)


@pytest.fixture
async def job(house: House) -> Job:
    job = a_job()
    await house.has(job)
    return job


class TestNothingIsLost:
    async def test_an_empty_bus_and_an_empty_store(self, house: House) -> None:
        assert [await look(house) for _ in range(4)] == [0, 0, 0, 0]

    async def test_work_that_waits_for_a_worker(self, house: House, job: Job) -> None:
        run = await a_queued_run(house, job)

        assert [await look(house) for _ in range(10)] == [0] * 10

        assert (await house.run(run)).sends == 0
        assert len(await house.taken(job)) == 1

    async def test_work_that_a_worker_has_taken_and_not_acknowledged(self, house: House, job: Job) -> None:
        await a_queued_run(house, job)
        await house.lanes.provide([lane_of(job)])
        assert house.lanes.take(lane_of(job))

        assert [await look(house) for _ in range(10)] == [0] * 10

    async def test_work_whose_started_is_still_on_its_way(self, house: House, job: Job) -> None:
        """The worker has acknowledged, the message is gone, and for all the store knows the run is QUEUED."""
        worker = a_worker()
        await house.has(worker)
        await a_queued_run(house, job)
        await house.lanes.provide([lane_of(job)])
        item = house.lanes.take(lane_of(job))
        assert item is not None
        await starts(house, item, worker)

        looks = [await look(house) for _ in range(10)]
        await intake(house)
        looks += [await look(house) for _ in range(10)]

        assert looks == [0] * 20
        assert (await house.only_run()).state is RunState.RUNNING

    @pytest.mark.parametrize("seed", range(20))
    async def test_a_steady_load_at_whatever_moment_it_is_looked_at(self, house: House, job: Job, seed: int) -> None:
        """Runs come, workers take and start them, intake lags behind: every step at a time of chance."""
        chance = random.Random(seed)
        other, worker = a_job("reports.weekly"), a_worker()
        await house.has(other, worker)
        await house.lanes.provide([lane_of(job), lane_of(other)])
        taken: list[WorkItem] = []
        looks = []

        for _ in range(300):
            house.clock.advance(SECOND * chance.random())
            match chance.randrange(6):
                case 0 | 1:
                    await a_queued_run(house, chance.choice([job, other]))
                case 2:
                    if item := house.lanes.take(lane_of(chance.choice([job, other]))):
                        taken.append(item)
                case 3:
                    if taken:
                        await starts(house, taken.pop(chance.randrange(len(taken))), worker)
                case 4:
                    if chance.random() < 0.3:
                        await intake(house, limit=chance.randint(1, 5))
                case 5:
                    async with house.sending():
                        looks.append(await house.handle(KeepLanes()))

        assert len(looks) > 20
        assert set(looks) == {0}
        assert all(run.sends == 0 for run in await house.runs())


class TestALaneHasLostMessages:
    async def test_is_proven_twice_and_then_all_of_its_work_is_sent_again_under_new_ids(
        self, house: House, job: Job
    ) -> None:
        lost, kept = await a_queued_run(house, job), await a_queued_run(house, job)
        assert (await lose_one(house, job)).run_id == lost

        assert [await look(house) for _ in range(PROOFS + 2)] == [0] * PROOFS + [2, 0]

        items = await house.taken(job)
        assert [(item.run_id, item.attempt, item.sends) for item in items] == [(kept, 1, 0), (lost, 1, 1), (kept, 1, 1)]
        assert {run.sends for run in await house.runs()} == {1}

    async def test_is_found_again_when_the_second_sending_is_lost_too(self, house: House, job: Job) -> None:
        run = await a_queued_run(house, job)
        sent = []

        for _ in range(3):
            await lose_one(house, job)
            sent += [await look(house) for _ in range(PROOFS + 1)]

        assert sent == [0, 0, 1] * 3
        assert (await house.run(run)).sends == 3

    async def test_leaves_other_lanes_alone(self, house: House, job: Job) -> None:
        other, theirs = a_job("reports.weekly"), a_job(tenant_id=GLOBEX)
        await house.has(other, theirs)
        await a_queued_run(house, job)
        await a_queued_run(house, other)
        await a_queued_run(house, theirs)
        await lose_one(house, job)

        assert sum([await look(house) for _ in range(6)]) == 1

        assert [len(await house.taken(each)) for each in (job, other, theirs)] == [1, 1, 1]

    async def test_is_proven_only_once_intake_has_come_to_what_was_reported_before_the_look(
        self, house: House, job: Job
    ) -> None:
        await a_queued_run(house, job)
        await lose_one(house, job)
        house.reports.publish("scheduler.report.acme", b"[]")

        assert [await look(house) for _ in range(6)] == [0] * 6
        await intake(house)
        looks = [await look(house) for _ in range(3)]

        assert sum(looks) == 1
        assert looks[0] == 0

    async def test_is_not_asked_of_work_that_was_queued_just_now(self, house: House, job: Job) -> None:
        """Its sender may not have come to it yet."""
        await a_queued_run(house, job)
        await lose_one(house, job)

        async with house.sending():
            looks = [await house.handle(KeepLanes()) for _ in range(6)]

        assert looks == [0] * 6

    async def test_is_not_asked_while_something_waits_to_be_sent(self, house: House, job: Job) -> None:
        await a_queued_run(house, job)
        await lose_one(house, job)
        house.sender.send([a_run(RunState.QUEUED, job=job)])

        for _ in range(6):
            house.clock.advance(3 * SECOND)
            assert await house.handle(KeepLanes()) == 0

    async def test_is_forgotten_when_the_work_was_found_after_all(self, house: House, job: Job) -> None:
        worker = a_worker()
        await house.has(worker)
        run = await a_queued_run(house, job)
        item = await lose_one(house, job)
        await look(house)
        await look(house)

        await starts(house, item, worker)
        await intake(house)

        assert [await look(house) for _ in range(4)] == [0] * 4
        assert (await house.run(run)).state is RunState.RUNNING

    async def test_is_found_by_the_next_leader_when_this_one_goes_in_the_middle(self, house: House, job: Job) -> None:
        await a_queued_run(house, job)
        await lose_one(house, job)
        await look(house)
        await look(house)

        successor = house.wired()

        assert [await look(house, successor) for _ in range(PROOFS + 1)] == [0] * PROOFS + [1]


class TestTheWholeStreamIsGone:
    async def lose_everything(self, house: House) -> None:
        await look(house)
        house.lanes.lose_everything()

    async def test_all_that_is_queued_is_sent_again_under_new_ids(self, house: House, job: Job) -> None:
        """The old ids may still be refused: the bus remembers them for a while, also after a purge."""
        other = a_job("reports.weekly")
        await house.has(other)
        runs = {await a_queued_run(house, each) for each in (job, job, other)}
        await self.lose_everything(house)

        assert await look(house) == 3

        items = await house.taken(job) + await house.taken(other)
        assert {item.run_id for item in items} == runs
        assert {(item.attempt, item.sends) for item in items} == {(1, 1)}

    async def test_what_was_queued_after_the_new_one_was_made_is_in_it(self, house: House, job: Job) -> None:
        lost = await a_queued_run(house, job)
        await self.lose_everything(house)
        await house.lanes.look()  # somebody makes the stream anew
        house.clock.advance(timedelta(seconds=1))
        kept = await a_queued_run(house, job)

        assert await look(house) == 1

        assert (await house.run(lost)).sends == 1
        assert (await house.run(kept)).sends == 0

    async def test_once(self, house: House, job: Job) -> None:
        await a_queued_run(house, job)
        await self.lose_everything(house)

        assert [await look(house) for _ in range(5)] == [1, 0, 0, 0, 0]

    async def test_a_shorter_stream_of_the_same_name_is_another_one(self, house: House, job: Job) -> None:
        """As when an older copy of the store was put back."""
        await a_queued_run(house, job)
        seen = await house.lanes.look()
        await house.cursors.move(WORK, Cursor(seen.last_seq + 1, seen.created))

        assert await look(house) == 1

    async def test_what_had_started_is_not_sent_again(self, house: House, job: Job) -> None:
        worker = a_worker()
        await house.has(worker)
        started, waiting = await a_queued_run(house, job), await a_queued_run(house, job)
        await house.lanes.provide([lane_of(job)])
        item = house.lanes.take(lane_of(job))
        assert item is not None
        assert item.run_id == started
        await starts(house, item, worker)
        await self.lose_everything(house)

        assert await look(house) == 0
        await intake(house)
        assert await look(house) == 1

        assert [each.run_id for each in await house.taken(job)] == [waiting]
        assert (await house.run(started)).sends == 0

    async def test_nor_waited_for_when_the_reports_are_gone_as_well(self, house: House, job: Job) -> None:
        await a_queued_run(house, job)
        house.reports.publish("scheduler.report.acme", b"[]")
        await look(house)
        house.lanes.lose_everything()
        await look(house)
        house.reports.lose_everything()

        assert await look(house) == 1

    async def test_what_is_queued_later_goes_its_own_way(self, house: House, job: Job) -> None:
        house.reports.publish("scheduler.report.acme", b"[]")
        old = await a_queued_run(house, job)
        await self.lose_everything(house)
        assert await look(house) == 0
        house.clock.advance(SECOND)
        new = await a_queued_run(house, job)
        await intake(house)

        assert await look(house) == 1

        assert sorted((item.run_id, item.sends) for item in await house.taken(job)) == sorted([(old, 1), (new, 0)])

    async def test_more_than_a_page_is_sent_in_pages(self, house: House, job: Job) -> None:
        await house.has(*(a_run(RunState.QUEUED, job=job) for _ in range(2 * PAGE + 1)))
        await self.lose_everything(house)

        assert await look(house) == 2 * PAGE + 1

        assert len({item.run_id for item in await house.taken(job)}) == 2 * PAGE + 1


async def test_the_first_look_of_all_judges_nothing(house: House, job: Job) -> None:
    await a_queued_run(house, job)

    await look(house)

    assert await house.cursors.read(WORK) == Cursor(1, "2026-01-01T00:00:00+00:00")


async def test_a_bus_that_is_down_is_not_a_bus_that_has_lost_something(house: House, job: Job) -> None:
    await a_queued_run(house, job)
    await look(house)
    house.lanes.up = False
    with pytest.raises(UnavailableError):
        await look(house)
    house.lanes.up = True

    assert [await look(house) for _ in range(5)] == [0] * 5
