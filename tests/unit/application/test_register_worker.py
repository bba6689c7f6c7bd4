"""A worker comes: its jobs exist afterwards, and it is told where the work is that it can do."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.builders import ACME, GLOBEX, HOUR, NOON, a_job, a_job_definition
from tests.unit.application.house import BeforeCommit, House

from rota.application.ports.bus import Lane
from rota.application.ports.reads import JobFilter, Paging
from rota.application.register_worker import Registered, RegisterWorker
from rota.domain.errors import InvalidError, UnavailableError
from rota.domain.ids import TenantId, WorkerId
from rota.domain.job import Job, JobDefinition, JobSnapshot
from rota.domain.worker import WorkerSnapshot, WorkerState

DAILY = a_job_definition()
WEEKLY = a_job_definition("reports.weekly")


def register(
    *jobs: JobDefinition,
    tenant_id: TenantId = ACME,
    name: str | None = "mill-1",
    capabilities: tuple[str, ...] = (),
    slots: int = 20,
) -> RegisterWorker:
    return RegisterWorker(tenant_id=tenant_id, name=name, jobs=jobs, capabilities=capabilities, slots=slots)


async def jobs(house: House, tenant_id: TenantId = ACME) -> dict[str, JobSnapshot]:
    page = await house.reads.jobs(tenant_id, JobFilter(), Paging(limit=100))
    return {job.definition.name: job for job in page.items}


async def workers(house: House) -> list[WorkerSnapshot]:
    return list((await house.reads.workers(ACME, Paging(limit=100))).items)


def lanes(registered: Registered) -> list[str]:
    return [name for name, _ in registered.lanes]


class TestTheWorker:
    async def test_is_online_and_known_by_what_it_takes(self, house: House) -> None:
        registered = await house.handle(register(DAILY, WEEKLY, capabilities=("gpu",), slots=7))

        worker = await house.reads.worker(ACME, registered.worker_id)
        assert (worker.name, worker.state, worker.slots, worker.capabilities) == (
            "mill-1",
            WorkerState.ONLINE,
            7,
            ("gpu",),
        )
        assert (worker.jobs, worker.last_seen_at) == (("reports.daily", "reports.weekly"), NOON)
        assert "worker.registered" in await house.event_types()

    async def test_without_a_name_is_given_one(self, house: House) -> None:
        registered = await house.handle(register(DAILY, name=None))

        worker = await house.reads.worker(ACME, registered.worker_id)
        assert worker.name.startswith("worker-")

    async def test_that_comes_again_is_another_one(self, house: House) -> None:
        first, second = await house.handle(register(DAILY)), await house.handle(register(DAILY))

        assert first.worker_id != second.worker_id
        assert len(await workers(house)) == 2
        assert len(await jobs(house)) == 1

    async def test_without_slots_is_refused_and_nothing_is_made(self, house: House) -> None:
        with pytest.raises(InvalidError):
            await house.handle(register(DAILY, slots=0))

        assert await house.events() == []


class TestItsJobs:
    async def test_are_made_where_they_are_missing(self, house: House) -> None:
        await house.handle(register(replace(DAILY, timeout=HOUR)))

        (job,) = (await jobs(house)).values()
        assert (job.definition.timeout, job.version) == (HOUR, 1)
        assert "job.created" in await house.event_types()

    async def test_that_a_registration_made_are_brought_up_to_date(self, house: House) -> None:
        await house.handle(register(DAILY))

        await house.handle(register(replace(DAILY, timeout=HOUR)))

        job = (await jobs(house))["reports.daily"]
        assert (job.definition.timeout, job.version) == (HOUR, 2)

    async def test_that_are_as_the_worker_says_are_left_alone(self, house: House) -> None:
        await house.handle(register(DAILY))

        await house.handle(register(DAILY))

        assert (await jobs(house))["reports.daily"].version == 1
        assert (await house.event_types()).count("job.updated") == 0

    async def test_that_somebody_keeps_by_hand_are_left_alone(self, house: House) -> None:
        await house.has(a_job())

        await house.handle(register(replace(DAILY, timeout=HOUR)))

        job = (await jobs(house))["reports.daily"]
        assert (job.definition, job.version) == (DAILY, 1)

    async def test_are_those_of_its_own_tenant(self, house: House) -> None:
        theirs = a_job(tenant_id=GLOBEX, from_registration=True)
        await house.has(theirs)

        await house.handle(register(replace(DAILY, timeout=HOUR)))

        assert (await jobs(house, GLOBEX))["reports.daily"].version == 1
        assert (await jobs(house))["reports.daily"].id != theirs.id


class TestItsLanes:
    async def test_are_told_in_the_order_of_its_jobs_and_exist(self, house: House) -> None:
        registered = await house.handle(register(WEEKLY, DAILY))

        assert lanes(registered) == ["reports.weekly", "reports.daily"]
        known = await jobs(house)
        for name, address in registered.lanes:
            assert address.stream == "ROTA_WORK"
            assert str(known[name].id) in address.consumer
            assert await house.lanes.waiting(Lane(ACME, known[name].id)) == 0

    async def test_are_only_those_that_it_has_the_capabilities_for(self, house: House) -> None:
        await house.has(a_job_needing("gpu", "fast"))

        without = await house.handle(register(DAILY, WEEKLY, capabilities=("gpu",)))
        with_both = await house.handle(register(DAILY, WEEKLY, capabilities=("fast", "gpu", "big")))

        assert lanes(without) == ["reports.weekly"]
        assert lanes(with_both) == ["reports.daily", "reports.weekly"]
        assert (await house.reads.worker(ACME, without.worker_id)).jobs == ("reports.weekly",)

    async def test_cannot_be_told_while_the_bus_is_down(self, house: House) -> None:
        house.lanes.up = False

        with pytest.raises(UnavailableError):
            await house.handle(register(DAILY))


class TestTwoComeAtTheSameMoment:
    async def test_with_the_same_new_job_and_both_get_it(self, house: House) -> None:
        others: list[Registered] = []

        async def another_comes() -> None:
            others.append(await house.handle(register(DAILY, name="mill-2")))

        slow = house.wired(BeforeCommit(house.begin, another_comes))

        registered = await slow.bus.handle(register(DAILY))

        assert len(await jobs(house)) == 1
        assert registered.lanes == others[0].lanes
        assert {(worker.id, worker.name) for worker in await workers(house)} == {
            (WorkerId(registered.worker_id), "mill-1"),
            (WorkerId(others[0].worker_id), "mill-2"),
        }


def a_job_needing(*capabilities: str) -> Job:
    job = a_job()
    job.definition = replace(job.definition, capabilities=capabilities)
    return job
