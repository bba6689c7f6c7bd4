"""Jobs in a store: one living job to a name, and none goes while it is needed."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.contract.adapters import InMemory, OnPostgres, Wait
from tests.support.builders import ACME, GLOBEX, HOUR, NOON, a_job, a_run, a_schedule
from tests.support.stored import STORABLE, state, store

from rota.application.ports.store import Begin
from rota.domain.decision import CatchUp
from rota.domain.errors import NameTakenError, NotFoundError
from rota.domain.job import Job
from rota.domain.misfire import Span
from rota.domain.retry import Backoff, BackoffKind
from rota.domain.run_events import RunState


async def got(begin: Begin, job: Job) -> Job:
    async with begin() as work:
        return await work.jobs.get(job.tenant_id, job.id)


async def delete(begin: Begin, job: Job) -> None:
    async with begin() as work:
        (await work.jobs.get(job.tenant_id, job.id)).delete(now=NOON)
        await work.commit()


async def user_of(begin: Begin, job: Job) -> str | None:
    async with begin() as work:
        return await work.jobs.user_of(await work.jobs.get(job.tenant_id, job.id))


class JobsContract:
    # Keeping them

    async def test_a_job_comes_back_as_it_was(self, begin: Begin) -> None:
        backoff = Backoff(
            kind=BackoffKind.LINEAR,
            initial=timedelta(milliseconds=1500),
            factor=1.5,
            longest=timedelta(microseconds=1),
            jitter=1 / 3,
        )
        job = a_job(queue="reports", max_attempts=7, backoff=backoff, timeout=timedelta(microseconds=1), now=NOON)
        job.definition = replace(job.definition, capabilities=("gpu", "日報"))
        job.from_registration = True

        await store(begin, job)

        assert state(await got(begin, job)) == state(job)

    async def test_changes_come_back(self, begin: Begin) -> None:
        job = a_job()
        await store(begin, job)

        async with begin() as work:
            known = await work.jobs.get(ACME, job.id)
            known.change(replace(known.definition, queue="slow", timeout=HOUR), now=NOON + HOUR)
            await work.commit()

        assert state(await got(begin, job)) == state(known)

    async def test_an_unknown_one_is_not_found(self, begin: Begin) -> None:
        with pytest.raises(NotFoundError):
            await got(begin, a_job())

    async def test_another_tenants_is_not_found(self, begin: Begin) -> None:
        job = a_job()
        await store(begin, job)

        with pytest.raises(NotFoundError):
            async with begin() as work:
                await work.jobs.get(GLOBEX, job.id)

    async def test_a_deleted_one_is_not_found(self, begin: Begin) -> None:
        job = a_job()
        await store(begin, job)

        await delete(begin, job)

        with pytest.raises(NotFoundError):
            await got(begin, job)

    # By name

    async def test_those_that_exist_are_found_by_name(self, begin: Begin) -> None:
        await store(begin, a_job("a"), a_job("b"), a_job("c"), a_job("b", tenant_id=GLOBEX))

        async with begin() as work:
            found = await work.jobs.named(ACME, ["a", "b", "b", "z"])

        assert {name: (job.tenant_id, job.definition.name) for name, job in found.items()} == {
            "a": (ACME, "a"),
            "b": (ACME, "b"),
        }

    async def test_no_names_find_no_jobs(self, begin: Begin) -> None:
        async with begin() as work:
            assert dict(await work.jobs.named(ACME, [])) == {}

    async def test_a_deleted_one_is_not_found_by_name(self, begin: Begin) -> None:
        job = a_job("a")
        await store(begin, job)
        await delete(begin, job)

        async with begin() as work:
            assert dict(await work.jobs.named(ACME, ["a"])) == {}

    async def test_what_is_found_by_name_can_be_changed(self, begin: Begin) -> None:
        job = a_job("a", from_registration=True)
        await store(begin, job)

        async with begin() as work:
            (known,) = (await work.jobs.named(ACME, ["a"])).values()
            known.register(replace(known.definition, timeout=HOUR), now=NOON)
            await work.commit()

        assert (await got(begin, job)).definition.timeout == HOUR

    async def test_a_name_is_taken_once(self, begin: Begin) -> None:
        await store(begin, a_job("a"))

        with pytest.raises(NameTakenError) as refusal:
            await store(begin, a_job("a"))

        assert (refusal.value.kind, refusal.value.name) == ("job", "a")

    async def test_another_tenant_may_have_it_too(self, begin: Begin) -> None:
        await store(begin, a_job("a"), a_job("a", tenant_id=GLOBEX))

    async def test_the_name_of_a_deleted_one_is_free_again(self, begin: Begin) -> None:
        job = a_job("a")
        await store(begin, job)
        await delete(begin, job)

        again = a_job("a")
        await store(begin, again)

        assert (await got(begin, again)).id == again.id

    # Who needs them

    async def test_a_job_that_nothing_needs_has_no_user(self, begin: Begin) -> None:
        job, other = a_job("a"), a_job("b")
        await store(begin, job, other, a_schedule(job=other), a_run(job=other))

        assert await user_of(begin, job) is None

    async def test_a_schedule_needs_its_job_also_when_disabled(self, begin: Begin) -> None:
        job = a_job()
        await store(begin, job, a_schedule(job=job, enabled=False))

        assert await user_of(begin, job)

    async def test_a_deleted_schedule_needs_none(self, begin: Begin) -> None:
        job = a_job()
        schedule = a_schedule(job=job)
        await store(begin, job, schedule)
        async with begin() as work:
            (await work.schedules.get(ACME, schedule.id)).delete(now=NOON)
            await work.commit()

        assert await user_of(begin, job) is None

    @pytest.mark.parametrize("run_state", [RunState.PENDING, RunState.QUEUED, RunState.RUNNING, RunState.RETRYING])
    async def test_a_run_that_is_not_over_needs_its_job(self, begin: Begin, run_state: RunState) -> None:
        job = a_job()
        await store(begin, job, a_run(run_state, job=job))

        assert await user_of(begin, job)

    @pytest.mark.parametrize("run_state", [each for each in STORABLE if each.is_final])
    async def test_a_run_that_is_over_does_not(self, begin: Begin, run_state: RunState) -> None:
        job = a_job()
        await store(begin, job, a_run(run_state, job=job))

        assert await user_of(begin, job) is None

    async def test_what_is_still_to_be_caught_up_with_needs_the_job_it_was_decided_for(self, begin: Begin) -> None:
        job = a_job()
        schedule = a_schedule(job=job)
        await store(begin, job, schedule, CatchUp(ACME, schedule.id, 1, Span(NOON, NOON, 1), NOON))
        async with begin() as work:
            (await work.schedules.get(ACME, schedule.id)).delete(now=NOON)
            await work.commit()

        assert await user_of(begin, job)

    async def test_a_job_found_by_name_is_not_deleted_before_its_new_user_is_stored(
        self, begin: Begin, somebody_waits: Wait
    ) -> None:
        job = a_job("a")
        await store(begin, job)

        async with begin() as work:
            (known,) = (await work.jobs.named(ACME, ["a"])).values()
            asking = asyncio.create_task(user_of(begin, job))
            await somebody_waits()
            work.schedules.add(a_schedule(job=known))
            await work.commit()

        assert await asking

    async def test_several_may_find_it_by_name_at_once(self, begin: Begin) -> None:
        job = a_job("a")
        await store(begin, job)

        async with begin() as one, begin() as another:
            assert await one.jobs.named(ACME, ["a"])
            assert await another.jobs.named(ACME, ["a"])


class TestInMemoryJobs(InMemory, JobsContract):
    pass


class TestPostgresJobs(OnPostgres, JobsContract):
    pass
