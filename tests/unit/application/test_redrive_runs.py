"""Dead letters are carried out once more: each once, at a pace, until too many die again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
from tests.support.builders import ACME, GLOBEX, HOUR, MINUTE, NOON, SECOND, a_job, next_id
from tests.support.ended import ended, keep
from tests.unit.application.house import BeforeCommit, House

from rota.application.cancel_redrive import CancelRedrive, CancelRedriveHandler
from rota.application.command import MessageBus
from rota.application.ports.store import Begin
from rota.application.redrive_once import PORTION, RedriveOnce, RedriveOnceHandler
from rota.application.redrive_runs import RedriveRuns, RedriveRunsHandler, would_redrive
from rota.application.retry_run import RetryRun
from rota.domain.attempt import RunError
from rota.domain.errors import ConcurrentChangeError, InvalidError, NotFoundError, TransitionError
from rota.domain.ids import RedriveId, WorkerId
from rota.domain.job import Job
from rota.domain.payload import Json
from rota.domain.redrive import LetterFilter, Redrive, RedriveState, RedriveTerms
from rota.domain.run import Run
from rota.domain.run_events import Cause, RunState
from rota.infrastructure.memory.dead_letters import InMemoryDeadLetters
from rota.infrastructure.schemas import JsonSchemaRules

ALL = LetterFilter()


@dataclass
class Redriving:
    """The use cases on the house's store, and what came of them."""

    house: House
    begin: Begin
    bus: MessageBus = field(default_factory=MessageBus)

    def __post_init__(self) -> None:
        house = self.house
        rules = JsonSchemaRules()
        self.bus.on(RedriveRuns, RedriveRunsHandler(self.begin, house.clock, house.ids, rules, house.nudge))
        self.bus.on(RedriveOnce, RedriveOnceHandler(self.begin, house.clock, house.ids))
        self.bus.on(CancelRedrive, CancelRedriveHandler(self.begin, house.clock))

    async def ask(self, wanted: LetterFilter = ALL, payload: Json | None = None, **terms: Any) -> Redrive:
        asked = RedriveRuns(tenant_id=ACME, wanted=wanted, terms=RedriveTerms(**terms), payload=payload)
        return await self.bus.handle(asked)

    async def once(self, after: Any = None) -> int:
        """One portion, so much later."""
        if after is not None:
            self.house.clock.advance(after)
        return await self.bus.handle(RedriveOnce())

    async def all(self) -> list[int]:
        """Second after second, until three have passed in which nothing was made."""
        made: list[int] = []
        while len(made) < 3 or any(made[-3:]):
            made.append(await self.once(SECOND))
        return made[:-3]

    async def look(self, redrive: Redrive) -> Redrive:
        return (await InMemoryDeadLetters(self.house.store).redrive(ACME, redrive.id)).redrive

    async def retries(self) -> list[Run]:
        return [run for run in await self.house.runs() if run.cause is Cause.RETRY]


@pytest.fixture
def redriving(house: House) -> Redriving:
    return Redriving(house, house.begin)


async def dead(house: House, count: int = 1, *, job: Job | None = None, **more: Any) -> list[Run]:
    """So many dead letters, in the order of their ids."""
    if job is None:
        job = a_job()
        if not house.store.tables.jobs:
            await house.has(job)
    runs = [ended(RunState.DEAD, NOON + n * SECOND / 1000, job=job, **more) for n in range(count)]
    await keep(house.begin, *runs)
    return runs


async def die(house: House, runs: Sequence[Run], at: datetime) -> None:
    async with house.begin() as work:
        for run in (await work.runs.load((run.tenant_id, run.id) for run in runs)).values():
            run.go(at)
            run.start(WorkerId(next_id()), 1, at)
            run.fail(RunError("ValueError", "again"), at, retryable=False)
        await work.commit()


class TestMaking:
    async def test_each_dead_letter_has_a_new_run(self, house: House, redriving: Redriving) -> None:
        letters = await dead(house, 3, labels={"team": "bi"})

        redrive = await redriving.ask()
        await redriving.all()

        retries = await redriving.retries()
        assert sorted(run.retry_of for run in retries if run.retry_of) == [run.id for run in letters]
        assert {run.state for run in retries} == {RunState.PENDING}
        assert {(run.scheduled_for, run.labels["team"]) for run in retries} == {
            (run.scheduled_for, "bi") for run in letters
        }
        now = await redriving.look(redrive)
        assert (now.state, now.count, now.made, now.passed) == (RedriveState.DONE, 3, 3, 0)
        assert house.nudge.count == 1

    async def test_what_it_takes_is_settled_when_it_is_asked(self, house: House, redriving: Redriving) -> None:
        await dead(house, 2)
        await redriving.ask()

        await dead(house, 1, message="later")
        await redriving.all()

        assert len(await redriving.retries()) == 2

    async def test_of_others_nothing_is_made(self, house: House, redriving: Redriving) -> None:
        first, second = a_job("first"), a_job("second")
        theirs = a_job(tenant_id=GLOBEX)
        await house.has(first, second, theirs)
        await dead(house, 1, job=first)
        (wanted,) = await dead(house, 1, job=second)
        await dead(house, 1, job=theirs)

        await redriving.ask(LetterFilter(job="second"))
        await redriving.all()

        (made,) = await redriving.retries()
        assert made.retry_of == wanted.id
        assert len(await house.runs(GLOBEX)) == 1

    async def test_the_oldest_come_first_up_to_the_cap(self, house: House, redriving: Redriving) -> None:
        letters = await dead(house, 3)

        redrive = await redriving.ask(most=2)
        await redriving.all()

        assert redrive.count == 2
        assert [run.retry_of for run in await redriving.retries()] == [run.id for run in letters[:2]]

    async def test_the_pace_is_kept(self, house: House, redriving: Redriving) -> None:
        await dead(house, 10)
        await redriving.ask(per_sec=2)

        assert await redriving.once() == 1
        assert await redriving.once() == 0
        assert await redriving.once(0.5 * SECOND) == 1
        assert await redriving.once(SECOND) == 2
        assert await redriving.once(HOUR) == 3

    async def test_one_portion_is_bounded(self, house: House, redriving: Redriving) -> None:
        await dead(house, PORTION + 10)
        await redriving.ask(per_sec=1000)

        assert await redriving.once(SECOND) == PORTION
        assert await redriving.once(SECOND) == 10

    async def test_two_redrives_take_turns(self, house: House, redriving: Redriving) -> None:
        first, second = a_job("first"), a_job("second")
        await house.has(first, second)
        await dead(house, 2, job=first)
        await dead(house, 2, job=second)
        await redriving.ask(LetterFilter(job="first"), per_sec=0.1)
        await redriving.ask(LetterFilter(job="second"), per_sec=0.1)

        assert [await redriving.once() for _ in range(3)] == [1, 1, 0]

        assert {run.job.name for run in await redriving.retries() if run.job} == {"first", "second"}

    async def test_a_payload_replaces_theirs(self, house: House, redriving: Redriving) -> None:
        await dead(house, 2)

        await redriving.ask(LetterFilter(job="reports.daily"), payload=Json('{"kind":"full"}'))
        await redriving.all()

        assert {run.payload for run in await redriving.retries()} == {'{"kind":"full"}'}


class TestOnceOnly:
    async def test_what_was_retried_is_not_taken(self, house: House, redriving: Redriving) -> None:
        letters = await dead(house, 2)
        await house.handle(RetryRun(tenant_id=ACME, run_id=letters[0].id))

        redrive = await redriving.ask()

        assert redrive.count == 1

    async def test_what_is_retried_meanwhile_is_passed_over(self, house: House, redriving: Redriving) -> None:
        letters = await dead(house, 2)
        redrive = await redriving.ask()
        await house.handle(RetryRun(tenant_id=ACME, run_id=letters[0].id))

        await redriving.all()

        assert sorted(run.retry_of for run in await redriving.retries() if run.retry_of) == [run.id for run in letters]
        now = await redriving.look(redrive)
        assert (now.state, now.made, now.passed) == (RedriveState.DONE, 1, 1)

    async def test_asking_twice_makes_each_once(self, house: House, redriving: Redriving) -> None:
        await dead(house, 3)
        first, second = await redriving.ask(), await redriving.ask()

        await redriving.all()

        assert len(await redriving.retries()) == 3
        done = [await redriving.look(each) for each in (first, second)]
        assert [each.state for each in done] == [RedriveState.DONE, RedriveState.DONE]
        assert sum(each.made for each in done) == sum(each.passed for each in done) == 3

    async def test_a_portion_that_fails_is_made_by_the_next_leader(self, house: House, redriving: Redriving) -> None:
        await dead(house, 3)
        redrive = await redriving.ask()

        async def fall() -> None:
            raise ConcurrentChangeError("lease")

        dying = Redriving(house, BeforeCommit(house.begin, fall))
        await dying.all()

        assert len(await redriving.retries()) == 3
        assert (await redriving.look(redrive)).made == 3

    async def test_the_new_ones_are_dead_letters_of_their_own_if_they_die(
        self, house: House, redriving: Redriving
    ) -> None:
        await dead(house, 1)
        await redriving.ask()
        await redriving.all()
        await die(house, await redriving.retries(), NOON + HOUR)

        again = await redriving.ask()
        await redriving.all()

        first, second = sorted(await redriving.retries(), key=lambda run: run.id)
        assert (again.count, second.retry_of) == (1, first.id)


class TestNobodyLeft:
    async def test_of_a_job_that_was_deleted_nothing_is_made(self, house: House, redriving: Redriving) -> None:
        job = a_job("gone")
        await house.has(job)
        await dead(house, 2, job=job)
        redrive = await redriving.ask()
        async with house.begin() as work:
            (await work.jobs.get(ACME, job.id)).delete(now=NOON)
            await work.commit()

        await redriving.all()

        now = await redriving.look(redrive)
        assert (now.state, now.made, now.passed) == (RedriveState.DONE, 0, 2)

    async def test_nor_if_another_has_its_name_now(self, house: House, redriving: Redriving) -> None:
        job = a_job("gone")
        await house.has(job)
        await dead(house, 1, job=job)
        async with house.begin() as work:
            (await work.jobs.get(ACME, job.id)).delete(now=NOON)
            await work.commit()
        await house.has(a_job("gone"))

        redrive = await redriving.ask()
        await redriving.all()

        assert (await redriving.look(redrive)).passed == 1


class TestStopping:
    async def test_it_stops_when_too_many_die_again(self, house: House, redriving: Redriving) -> None:
        await dead(house, 10)
        redrive = await redriving.ask(per_sec=2, stop_after=2)
        await redriving.once()
        await redriving.once(SECOND)

        await die(house, await redriving.retries(), house.clock.now())
        await redriving.all()

        now = await redriving.look(redrive)
        assert (now.state, now.made) == (RedriveState.STOPPED, 3)
        assert now.reason == "3 of the 3 new runs are DEAD again"
        assert now.finished_at is not None
        assert len(await redriving.retries()) == 3

    async def test_it_goes_on_as_long_as_they_are_few(self, house: House, redriving: Redriving) -> None:
        await dead(house, 5)
        redrive = await redriving.ask(per_sec=1, stop_after=2)
        await redriving.once()
        await die(house, await redriving.retries(), house.clock.now())

        await redriving.all()

        assert (await redriving.look(redrive)).state is RedriveState.DONE

    async def test_a_cancelled_one_makes_no_more(self, house: House, redriving: Redriving) -> None:
        await dead(house, 5)
        redrive = await redriving.ask(per_sec=1)
        await redriving.once()

        cancelled = await redriving.bus.handle(
            CancelRedrive(tenant_id=ACME, redrive_id=redrive.id, reason="wrong ones")
        )
        await redriving.all()

        stopped = cancelled.redrive
        assert (stopped.state, stopped.reason, stopped.made) == (RedriveState.CANCELLED, "wrong ones", 1)
        assert len(await redriving.retries()) == 1

    async def test_what_is_over_cannot_be_cancelled(self, house: House, redriving: Redriving) -> None:
        redrive = await redriving.ask()

        with pytest.raises(TransitionError):
            await redriving.bus.handle(CancelRedrive(tenant_id=ACME, redrive_id=redrive.id))

    async def test_what_is_unknown_cannot_either(self, redriving: Redriving) -> None:
        for tenant in (ACME, GLOBEX):
            with pytest.raises(NotFoundError):
                await redriving.bus.handle(CancelRedrive(tenant_id=tenant, redrive_id=RedriveId(next_id())))


class TestRefusals:
    async def test_a_payload_goes_with_one_kind_of_runs(self, house: House, redriving: Redriving) -> None:
        await dead(house, 1)

        for wanted in (ALL, LetterFilter(labels={"team": "bi"}), LetterFilter(since=NOON - MINUTE)):
            with pytest.raises(InvalidError) as refusal:
                await redriving.ask(wanted, payload=Json("1"))
            assert [fault.field for fault in refusal.value.faults] == ["payload"]
        assert house.store.tables.redrives == {}

    async def test_a_payload_must_be_what_the_jobs_schema_says(self, house: House, redriving: Redriving) -> None:
        job = a_job("strict", payload_schema=Json('{"type": "object"}'))
        await house.has(job)
        (letter,) = await dead(house, 1, job=job)

        for wanted in (LetterFilter(job="strict"), LetterFilter(fingerprint=letter.fingerprint)):
            with pytest.raises(InvalidError):
                await redriving.ask(wanted, payload=Json("[]"))
            assert (await redriving.ask(wanted, payload=Json("{}"))).count == 1

    async def test_a_dry_run_counts_and_makes_nothing(self, house: House, redriving: Redriving) -> None:
        await dead(house, 3, message="often")
        await dead(house, 1, message="rare")
        letters = InMemoryDeadLetters(house.store)

        would = await would_redrive(letters, ACME, ALL, RedriveTerms(), None)
        capped = await would_redrive(letters, ACME, ALL, RedriveTerms(most=2), None)

        assert (would.count, [group.count for group in would.groups], capped.count) == (4, [3, 1], 2)
        assert house.store.tables.redrives == {}
        assert await redriving.all() == []
