"""A run that has ended is carried out once more: as a new run, for the same due time."""

from __future__ import annotations

import pytest
from tests.support.builders import ACME, GLOBEX, HOUR, NOON, a_job, a_run, a_schedule, next_id
from tests.unit.application.house import House

from rota.application.delete_job import DeleteJob
from rota.application.fire_schedules import FireSchedules
from rota.application.retry_run import RetryRun
from rota.domain.delivery import Delivery, EventReceiver
from rota.domain.errors import ConflictError, InvalidError, NotFoundError, TransitionError
from rota.domain.ids import JobId, RunId, TenantId
from rota.domain.job import Job
from rota.domain.payload import Json
from rota.domain.run import Run
from rota.domain.run_events import Cause, RunState

FINAL = [RunState.SUCCEEDED, RunState.DEAD, RunState.CANCELLED, RunState.SKIPPED]
UNFINISHED = [RunState.PENDING, RunState.QUEUED, RunState.RUNNING, RunState.RETRYING]
WANTS_A_CUSTOMER = Json('{"required": ["customer"], "properties": {"customer": {"type": "integer"}}}')


def retry(run: Run, payload: Json | None = None, tenant_id: TenantId = ACME) -> RetryRun:
    return RetryRun(tenant_id=tenant_id, run_id=run.id, payload=payload)


async def has_dead(house: House, job: Job, payload: Json | None = None) -> Run:
    run = a_run(RunState.DEAD, job=job, payload=payload)
    await house.has(job, run)
    return run


class TestARetry:
    @pytest.mark.parametrize("state", FINAL)
    async def test_is_a_new_run_whatever_became_of_the_old_one(self, house: House, state: RunState) -> None:
        job = a_job()
        old = a_run(state, job=job, payload=Json("[1]"), labels={"team": "bi"}, priority=7)
        await house.has(job, old)
        house.clock.advance(HOUR)

        answer = await house.handle(retry(old))

        new = await house.again(answer)
        assert new.id != old.id
        assert (new.cause, new.retry_of, new.state, new.attempt) == (Cause.RETRY, old.id, RunState.PENDING, 0)
        assert (new.payload, new.labels, new.priority) == ("[1]", {"team": "bi"}, 7)
        assert (await house.again(old)).state is state

    async def test_keeps_what_it_was_scheduled_for_and_is_due_now(self, house: House) -> None:
        schedule = a_schedule()
        await house.has(a_job(), schedule)
        await house.handle(FireSchedules(epoch=1))
        old = await house.only_run()
        await house.fail(old, retryable=False)
        house.clock.advance(HOUR)

        new = await house.handle(retry(old))

        assert (new.schedule_id, new.scheduled_for, new.due_at) == (schedule.id, NOON, NOON + HOUR)

    async def test_has_all_its_attempts_and_the_whole_time_of_its_limits_before_it(self, house: House) -> None:
        job = a_job(max_attempts=2, deadline=HOUR)
        old = await has_dead(house, job)
        house.clock.advance(2 * HOUR)

        new = await house.handle(retry(old))
        await house.dispatch()
        await house.fail(new)

        assert (await house.again(new)).state is RunState.RETRYING

    async def test_waits_for_its_turn_and_the_leader_hears_of_it(self, house: House) -> None:
        job = a_job()
        old = await has_dead(house, job)

        new = await house.handle(retry(old))

        assert house.nudge.count == 1
        assert (await house.event_types())[-1] == "run.created"
        await house.dispatch()
        assert [item.run_id for item in await house.taken(job)] == [new.id]

    async def test_may_be_retried_itself(self, house: House) -> None:
        old = await has_dead(house, a_job())
        new = await house.handle(retry(old))
        await house.dispatch()
        await house.fail(new, retryable=False)

        third = await house.handle(retry(new))

        assert (third.retry_of, third.scheduled_for) == (new.id, NOON)

    async def test_may_be_asked_for_twice(self, house: House) -> None:
        old = await has_dead(house, a_job())

        first, second = await house.handle(retry(old)), await house.handle(retry(old))

        assert first.id != second.id
        assert len(await house.runs()) == 3

    async def test_tells_who_asked(self, house: House) -> None:
        old = await has_dead(house, a_job())

        new = await house.handle(RetryRun(tenant_id=ACME, run_id=old.id, correlation_id="c-1", traceparent="t-1"))

        assert (new.correlation_id, new.traceparent) == ("c-1", "t-1")

    async def test_follows_the_old_one_where_nobody_says(self, house: House) -> None:
        old = await has_dead(house, a_job())

        assert (await house.handle(retry(old))).correlation_id == old.correlation_id

    async def test_of_a_delivery_goes_to_the_same_receiver(self, house: House) -> None:
        delivery = Delivery(receiver=EventReceiver("orders.paid"))
        old = a_run(RunState.CANCELLED, delivery=delivery)
        await house.has(old)

        assert (await house.handle(retry(old))).delivery == delivery


class TestItsPayload:
    async def test_replaces_the_old_one(self, house: House) -> None:
        old = await has_dead(house, a_job(), Json('"old"'))

        assert (await house.handle(retry(old, Json('"new"')))).payload == '"new"'
        assert (await house.again(old)).payload == '"old"'

    async def test_is_checked_against_the_jobs_schema(self, house: House) -> None:
        old = await has_dead(house, a_job(payload_schema=WANTS_A_CUSTOMER), Json('{"customer": 7}'))

        with pytest.raises(InvalidError) as refusal:
            await house.handle(retry(old, Json('{"customer": "seven"}')))

        assert [fault.field for fault in refusal.value.faults] == ["payload.customer"]
        assert len(await house.runs()) == 1
        assert house.nudge.count == 0

    async def test_is_not_checked_where_it_is_the_old_one(self, house: House) -> None:
        """It was good once; a schema that has changed since must not keep a run from being carried out again."""
        old = await has_dead(house, a_job(payload_schema=WANTS_A_CUSTOMER), Json("{}"))

        assert (await house.handle(retry(old))).payload == "{}"

    async def test_tells_its_concurrency_key(self, house: House) -> None:
        old = await has_dead(house, a_job(concurrency_key="/customer"), Json('{"customer": 7}'))

        assert (await house.handle(retry(old))).concurrency_key == "7"
        assert (await house.handle(retry(old, Json('{"customer": 8}')))).concurrency_key == "8"


class TestIsRefused:
    @pytest.mark.parametrize("state", UNFINISHED)
    async def test_while_the_run_has_not_ended(self, house: House, state: RunState) -> None:
        job = a_job()
        run = a_run(state, job=job)
        await house.has(job, run)

        with pytest.raises(TransitionError):
            await house.handle(retry(run))

        assert len(await house.runs()) == 1

    async def test_once_its_job_was_deleted(self, house: House) -> None:
        job = a_job()
        old = await has_dead(house, job)
        await house.handle(DeleteJob(tenant_id=ACME, job_id=job.id))

        with pytest.raises(ConflictError, match=r"reports\.daily"):
            await house.handle(retry(old))

    async def test_once_its_job_was_deleted_though_another_has_its_name(self, house: House) -> None:
        """Its work would go to a lane that nobody fetches from any more."""
        job = a_job()
        old = await has_dead(house, job)
        await house.handle(DeleteJob(tenant_id=ACME, job_id=job.id))
        await house.has(a_job(job_id=JobId(next_id())))

        with pytest.raises(ConflictError, match=r"reports\.daily"):
            await house.handle(retry(old))

    async def test_for_a_run_that_nobody_knows(self, house: House) -> None:
        with pytest.raises(NotFoundError):
            await house.handle(RetryRun(tenant_id=ACME, run_id=RunId(next_id())))

    async def test_for_another_tenants(self, house: House) -> None:
        old = await has_dead(house, a_job())

        with pytest.raises(NotFoundError):
            await house.handle(retry(old, tenant_id=GLOBEX))
