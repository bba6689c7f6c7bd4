"""Runs that somebody asks for: all or none, once to a dedupe key, at once where they can go."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from tests.support.builders import ACME, GLOBEX, HOUR, NOON, a_job
from tests.unit.application.house import BeforeCommit, House, states

from rota.application.create_runs import Accepted, CreateRuns, RunDraft
from rota.domain.errors import InvalidError
from rota.domain.ids import TenantId
from rota.domain.payload import Json
from rota.domain.run_events import Cause, RunState

JOB = "reports.daily"


def drafts(*given: RunDraft, tenant_id: TenantId = ACME, batch: bool = True) -> CreateRuns:
    return CreateRuns(tenant_id=tenant_id, drafts=given, batch=batch)


def keyed(key: str, job: str = JOB) -> RunDraft:
    return RunDraft(job=job, dedupe_key=key)


def outcome(accepted: Sequence[Accepted]) -> list[tuple[str | None, bool]]:
    return [(each.run.dedupe_key, each.is_new) for each in accepted]


class TestARun:
    async def test_goes_to_the_bus_at_once(self, house: House) -> None:
        job = a_job()
        await house.has(job)

        (accepted,) = await house.handle(
            CreateRuns(
                tenant_id=ACME,
                drafts=[RunDraft(job=JOB, payload=Json("[1]"), labels={"team": "bi"})],
                correlation_id="c-1",
                traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            )
        )

        run = await house.only_run()
        assert accepted.is_new
        assert run.id == accepted.run.id
        assert (run.cause, run.state, run.attempt, run.payload) == (Cause.API, RunState.QUEUED, 1, "[1]")
        assert (run.scheduled_for, run.due_at, run.fired_at) == (NOON, NOON, NOON)
        assert (run.labels, run.correlation_id) == ({"team": "bi"}, "c-1")
        assert [item.run_id for item in await house.taken(job)] == [run.id]
        assert house.nudge.count == 0
        assert await house.event_types() == ["run.queued"]

    async def test_for_later_waits_and_the_leader_hears_of_it(self, house: House) -> None:
        job = a_job()
        await house.has(job)

        await house.handle(drafts(RunDraft(job=JOB, run_at=NOON + HOUR)))

        run = await house.only_run()
        assert (run.state, run.scheduled_for, run.due_at, run.wake_at) == (
            RunState.PENDING,
            NOON + HOUR,
            NOON + HOUR,
            NOON + HOUR,
        )
        assert house.nudge.count == 1
        assert await house.taken(job) == []

    async def test_for_earlier_is_due_now(self, house: House) -> None:
        await house.has(a_job())

        await house.handle(drafts(RunDraft(job=JOB, run_at=NOON - HOUR)))

        run = await house.only_run()
        assert (run.state, run.due_at, run.fired_at) == (RunState.QUEUED, NOON - HOUR, NOON)

    async def test_waits_while_the_bus_is_down(self, house: House) -> None:
        job = a_job()
        await house.has(job)
        house.lanes.up = False

        await house.handle(drafts(RunDraft(job=JOB)))

        assert states(await house.runs()) == [RunState.PENDING]
        assert house.nudge.count == 1
        house.lanes.up = True
        assert (await house.dispatch()).moved == 1


class TestABatch:
    async def test_is_answered_in_its_order(self, house: House) -> None:
        await house.has(a_job(), a_job("reports.weekly"))
        names = [JOB, "reports.weekly", JOB]

        accepted = await house.handle(drafts(*(RunDraft(job=name) for name in names)))

        assert [each.run.job.name for each in accepted] == names
        assert len(await house.runs()) == 3

    async def test_with_a_fault_makes_none_and_names_each_fault_by_its_place(self, house: House) -> None:
        await house.has(a_job())

        with pytest.raises(InvalidError) as refusal:
            await house.handle(
                drafts(
                    RunDraft(job=JOB),
                    RunDraft(job="nobody.knows"),
                    RunDraft(job=JOB, labels={"team": "x" * 64}),
                )
            )

        assert [fault.field for fault in refusal.value.faults] == ["1.job", "2.labels.team"]
        assert await house.runs() == []
        assert house.sender.is_idle

    async def test_of_one_alone_names_the_field_without_a_place(self, house: House) -> None:
        with pytest.raises(InvalidError) as refusal:
            await house.handle(drafts(RunDraft(job="nobody.knows"), batch=False))

        assert [fault.field for fault in refusal.value.faults] == ["job"]

    async def test_knows_only_the_jobs_of_its_own_tenant(self, house: House) -> None:
        await house.has(a_job(tenant_id=GLOBEX))

        with pytest.raises(InvalidError):
            await house.handle(drafts(RunDraft(job=JOB)))

    async def test_that_goes_to_the_bus_in_part_nudges_for_the_rest(self, house: House) -> None:
        job = a_job()
        await house.has(job)

        await house.handle(drafts(RunDraft(job=JOB), RunDraft(job=JOB, run_at=NOON + HOUR)))

        assert len(await house.taken(job)) == 1
        assert house.nudge.count == 1


class TestADedupeKey:
    async def test_that_is_held_answers_with_its_run(self, house: House) -> None:
        job = a_job()
        await house.has(job)
        (first,) = await house.handle(drafts(keyed("order 17")))

        (again,) = await house.handle(drafts(keyed("order 17")))

        assert (again.run.id, again.is_new) == (first.run.id, False)
        assert len(await house.taken(job)) == 1

    async def test_holds_inside_a_batch_too(self, house: House) -> None:
        await house.has(a_job())

        accepted = await house.handle(drafts(keyed("a"), keyed("b"), keyed("a")))

        assert outcome(accepted) == [("a", True), ("b", True), ("a", False)]
        assert accepted[0].run.id == accepted[2].run.id
        assert len(await house.runs()) == 2

    async def test_holds_across_jobs(self, house: House) -> None:
        await house.has(a_job(), a_job("reports.weekly"))
        await house.handle(drafts(keyed("a")))

        (again,) = await house.handle(drafts(keyed("a", "reports.weekly")))

        assert not again.is_new

    async def test_of_another_tenant_is_another(self, house: House) -> None:
        await house.has(a_job(), a_job(tenant_id=GLOBEX))
        await house.handle(drafts(keyed("a")))

        (theirs,) = await house.handle(drafts(keyed("a"), tenant_id=GLOBEX))

        assert theirs.is_new

    async def test_is_free_again_once_its_run_has_ended(self, house: House) -> None:
        await house.has(a_job())
        (first,) = await house.handle(drafts(keyed("a")))
        async with house.begin() as work:
            (run,) = (await work.runs.load([(ACME, first.run.id)])).values()
            run.start(first.run.job.id, 1, NOON)  # type: ignore[arg-type]  # any id will do
            run.succeed(None, NOON)
            await work.commit()

        (second,) = await house.handle(drafts(keyed("a")))

        assert second.is_new

    async def test_that_another_takes_at_the_same_moment_is_theirs(self, house: House) -> None:
        await house.has(a_job())
        slow = house.wired(BeforeCommit(house.begin, lambda: house.handle(drafts(keyed("a")))))

        (accepted,) = await slow.bus.handle(drafts(keyed("a")))

        assert not accepted.is_new
        assert (await house.only_run()).id == accepted.run.id
        assert slow.sender.is_idle

    async def test_that_another_takes_at_the_same_moment_doubles_none_of_its_neighbours(self, house: House) -> None:
        await house.has(a_job())
        slow = house.wired(BeforeCommit(house.begin, lambda: house.handle(drafts(keyed("a")))))

        accepted = await slow.bus.handle(drafts(RunDraft(job=JOB), keyed("a"), keyed("b")))

        assert [each.is_new for each in accepted] == [True, False, True]
        assert {run.id for run in await house.runs()} == {each.run.id for each in accepted}
