"""Jobs are made and changed by hand; workers obey what stands."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.builders import ACME, GLOBEX, HOUR, NOON, SECOND, a_job, a_job_definition, a_run
from tests.unit.application.house import House

from rota.application.change_job import ChangeJob
from rota.application.create_job import CreateJob
from rota.domain.errors import InvalidError, NameTakenError, NotFoundError


class TestCreateJob:
    async def test_a_job_is_stored(self, house: House) -> None:
        made = await house.handle(CreateJob(tenant_id=ACME, definition=a_job_definition(queue="bulk")))

        assert await house.reads.job(ACME, made.id) == made
        assert (made.definition.queue, made.version, made.created_at) == ("bulk", 1, NOON)
        assert await house.event_types() == ["job.created"]

    async def test_a_name_that_is_taken_is_refused(self, house: House) -> None:
        await house.has(a_job())

        with pytest.raises(NameTakenError):
            await house.handle(CreateJob(tenant_id=ACME, definition=a_job_definition()))

    async def test_the_name_of_another_tenants_job_is_free(self, house: House) -> None:
        await house.has(a_job(tenant_id=GLOBEX))

        await house.handle(CreateJob(tenant_id=ACME, definition=a_job_definition()))


class TestChangeJob:
    async def test_it_is_a_new_version(self, house: House) -> None:
        job = a_job()
        await house.has(job)
        house.clock.advance(SECOND)

        after = await house.handle(
            ChangeJob(tenant_id=ACME, job_id=job.id, revise=lambda job: replace(job.definition, timeout=HOUR))
        )

        assert (after.definition.timeout, after.version, after.updated_at) == (HOUR, 2, NOON + SECOND)
        assert await house.reads.job(ACME, job.id) == after
        assert await house.event_types() == ["job.updated"]

    async def test_runs_that_wait_obey_it(self, house: House) -> None:
        job = a_job()
        await house.has(job, a_run(job=job))

        await house.handle(
            ChangeJob(tenant_id=ACME, job_id=job.id, revise=lambda job: replace(job.definition, timeout=HOUR))
        )
        await house.dispatch()

        assert [item.timeout_sec for item in await house.taken(job)] == [3600.0]

    async def test_nothing_new_changes_nothing(self, house: House) -> None:
        job = a_job()
        await house.has(job)

        after = await house.handle(ChangeJob(tenant_id=ACME, job_id=job.id, revise=lambda job: job.definition))

        assert after.version == 1
        assert await house.events() == []

    async def test_its_name_stays(self, house: House) -> None:
        job = a_job()
        await house.has(job)

        with pytest.raises(InvalidError) as refusal:
            await house.handle(
                ChangeJob(tenant_id=ACME, job_id=job.id, revise=lambda job: replace(job.definition, name="other"))
            )

        assert [fault.field for fault in refusal.value.faults] == ["name"]

    async def test_another_tenants_job_is_unknown(self, house: House) -> None:
        job = a_job()
        await house.has(job)

        with pytest.raises(NotFoundError):
            await house.handle(ChangeJob(tenant_id=GLOBEX, job_id=job.id, revise=lambda job: job.definition))
