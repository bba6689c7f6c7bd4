"""Dead letters in groups, and redrives with their lists."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.contract.adapters import InMemory, OnPostgres
from tests.contract.given import HTTP, a_delivery
from tests.support.builders import ACME, GLOBEX, HOUR, MINUTE, NOON, SECOND, a_job, next_id
from tests.support.ended import ended, keep
from tests.support.stored import store

from rota.application.ports.dead_letters import DeadGroup, DeadLetters
from rota.application.ports.reads import Paging
from rota.application.ports.store import Begin
from rota.domain.errors import NotFoundError
from rota.domain.ids import RedriveId, RunId, ScheduleId
from rota.domain.job import Job
from rota.domain.payload import Json
from rota.domain.redrive import LetterFilter, Redrive, RedriveState, RedriveTerms
from rota.domain.run import Run
from rota.domain.run_events import RunState
from rota.infrastructure.memory.dead_letters import InMemoryDeadLetters
from rota.infrastructure.memory.tables import InMemoryStore
from rota.infrastructure.postgres.dead_letters import PostgresDeadLetters

ALL = LetterFilter()


class InMemoryLetters(InMemory):
    @pytest.fixture
    def dead_letters(self, store: InMemoryStore) -> DeadLetters:
        return InMemoryDeadLetters(store)


class LettersOnPostgres(OnPostgres):
    @pytest.fixture
    def dead_letters(self, engine: AsyncEngine) -> DeadLetters:
        return PostgresDeadLetters(engine)


def dead(**more: Any) -> Run:  # Any: what `ended` takes
    return ended(RunState.DEAD, **more)


def told(groups: Iterable[DeadGroup]) -> list[tuple[int, str]]:
    """How many, and what the example failed with."""
    return [(group.count, group.example.error.message if group.example.error else "") for group in groups]


def a_redrive(wanted: LetterFilter = ALL, *, now: Any = NOON, payload: Json | None = None, **terms: Any) -> Redrive:
    return Redrive.ask(ACME, RedriveId(next_id()), wanted, RedriveTerms(**terms), now=now, payload=payload)


async def ask(begin: Begin, redrive: Redrive) -> Redrive:
    async with begin() as work:
        redrive.take(await work.redrives.add(redrive))
        await work.commit()
    return redrive


async def listed(begin: Begin, redrive: Redrive, limit: int = 100) -> Sequence[RunId]:
    async with begin() as work:
        return await work.redrives.letters(redrive, limit)


class DeadLettersContract:
    async def test_without_dead_letters_there_are_no_groups(
        self, begin: Begin, dead_letters: DeadLetters, job: Job
    ) -> None:
        await keep(begin, *(ended(each) for each in RunState if each.is_final and each is not RunState.DEAD))

        assert (await dead_letters.groups(ACME, ALL, Paging(10))).items == []
        assert await dead_letters.count(ACME, ALL, 10) == 0

    async def test_what_failed_alike_is_one_group(self, begin: Begin, dead_letters: DeadLetters, job: Job) -> None:
        runs = [dead(at=NOON + n * MINUTE, message=f"no such report: {n}") for n in (2, 0, 1)]
        await keep(begin, *runs)

        (group,) = (await dead_letters.groups(ACME, ALL, Paging(10))).items

        assert (group.count, group.first, group.last) == (3, NOON, NOON + 2 * MINUTE)
        assert group.fingerprint == runs[0].fingerprint
        assert group.example.id == max(run.id for run in runs)
        assert group.example.job == job.terms()

    async def test_the_biggest_comes_first_and_of_equals_the_latest(
        self, begin: Begin, dead_letters: DeadLetters, job: Job
    ) -> None:
        for message, count, at in (("old", 1, NOON), ("big", 3, NOON), ("new", 1, NOON + HOUR), ("two", 2, NOON)):
            await keep(begin, *(dead(at=at, message=message) for _ in range(count)))

        groups = (await dead_letters.groups(ACME, ALL, Paging(10))).items

        assert told(groups) == [(3, "big"), (2, "two"), (1, "new"), (1, "old")]

    async def test_a_place_in_the_list_leads_to_what_follows(
        self, begin: Begin, dead_letters: DeadLetters, job: Job
    ) -> None:
        for message, count in (("a", 1), ("b", 3), ("c", 1), ("d", 2), ("e", 1)):
            await keep(begin, *(dead(message=message) for _ in range(count)))
        whole = (await dead_letters.groups(ACME, ALL, Paging(10))).items

        first = (await dead_letters.groups(ACME, ALL, Paging(2))).items
        second = (await dead_letters.groups(ACME, ALL, Paging(2, after=first[-1].place))).items
        third = (await dead_letters.groups(ACME, ALL, Paging(2, after=second[-1].place))).items
        fourth = (await dead_letters.groups(ACME, ALL, Paging(2, after=third[-1].place))).items

        assert told([*first, *second, *third]) == told(whole)
        assert fourth == []

    async def test_the_groups_have_numbered_pages(self, begin: Begin, dead_letters: DeadLetters, job: Job) -> None:
        for message, count in (("a", 1), ("b", 3), ("c", 2)):
            await keep(begin, *(dead(message=message) for _ in range(count)))

        first = await dead_letters.groups(ACME, ALL, Paging(2, page=1))
        second = await dead_letters.groups(ACME, ALL, Paging(2, page=2))

        assert (told(first.items), first.next_after, first.total) == ([(3, "b"), (2, "c")], first.items[-1].place, 3)
        assert (told(second.items), second.next_after, second.total) == ([(1, "a")], None, 3)

    async def test_a_dead_delivery_is_one_too(self, begin: Begin, dead_letters: DeadLetters, job: Job) -> None:
        await keep(begin, dead(), dead(delivery=a_delivery(HTTP)))

        groups = (await dead_letters.groups(ACME, ALL, Paging(10))).items

        assert {group.example.job and group.example.job.name for group in groups} == {None, "reports.daily"}

    async def test_they_are_filtered(self, begin: Begin, dead_letters: DeadLetters, job: Job) -> None:
        other, schedule_id = a_job("mail"), ScheduleId(next_id())
        await store(begin, other)
        plain = dead(message="plain")
        of_mail = dead(job=other, message="mail")
        of_schedule = dead(schedule_id=schedule_id, scheduled_for=NOON + HOUR, message="schedule")
        labelled = dead(labels={"team": "bi", "tier": "1"}, message="labelled")
        await keep(begin, plain, of_mail, of_schedule, labelled)

        async def found(**wanted: Any) -> set[str]:
            groups = (await dead_letters.groups(ACME, LetterFilter(**wanted), Paging(10))).items
            assert await dead_letters.count(ACME, LetterFilter(**wanted), 10) == len(groups)
            return {text for _, text in told(groups)}

        assert await found(fingerprint=plain.fingerprint) == {"plain"}
        assert await found(job="mail") == {"mail"}
        assert await found(job="unknown") == set()
        assert await found(schedule_id=schedule_id) == {"schedule"}
        assert await found(labels={"team": "bi"}) == {"labelled"}
        assert await found(labels={"team": "bi", "tier": "2"}) == set()
        assert await found(since=NOON + HOUR) == {"schedule"}
        assert await found(until=NOON + HOUR) == {"plain", "mail", "labelled"}
        assert await found(job="reports.daily", until=NOON + HOUR) == {"plain", "labelled"}

    async def test_what_was_retried_counts_only_where_it_is_said(
        self, begin: Begin, dead_letters: DeadLetters, job: Job
    ) -> None:
        first, second = dead(), dead()
        await keep(begin, first, second, ended(RunState.SUCCEEDED, retry_of=first.id))

        (group,) = (await dead_letters.groups(ACME, ALL, Paging(10))).items
        (whole,) = (await dead_letters.groups(ACME, ALL, Paging(10), retried=True)).items

        assert (group.count, group.example.id, whole.count) == (1, second.id, 2)
        assert await dead_letters.count(ACME, ALL, 10) == 1

    async def test_counting_ends_at_its_bound(self, begin: Begin, dead_letters: DeadLetters, job: Job) -> None:
        await keep(begin, *(dead() for _ in range(3)))

        assert [await dead_letters.count(ACME, ALL, most) for most in (1, 3, 5)] == [1, 3, 3]

    async def test_tenants_never_mix(self, begin: Begin, dead_letters: DeadLetters, job: Job) -> None:
        theirs = a_job(tenant_id=GLOBEX)
        await store(begin, theirs)
        run = dead()
        await keep(begin, run, dead(job=theirs), ended(job=theirs, retry_of=run.id))

        (group,) = (await dead_letters.groups(ACME, ALL, Paging(10))).items

        assert (group.count, group.example.tenant_id) == (1, ACME)
        assert await dead_letters.count(GLOBEX, ALL, 10) == 1


class RedrivesContract:
    async def test_it_lists_its_dead_letters_in_the_order_in_which_they_were_made(self, begin: Begin, job: Job) -> None:
        runs = [dead(at=NOON + n * MINUTE) for n in (2, 0, 1)]
        retried = dead()
        await keep(begin, *runs, retried, ended(retry_of=retried.id), ended())

        redrive = await ask(begin, a_redrive())

        assert redrive.count == 3
        assert list(await listed(begin, redrive)) == sorted(run.id for run in runs)
        assert len(await listed(begin, redrive, 2)) == 2

    async def test_at_most_as_many_as_were_asked_for(self, begin: Begin, job: Job) -> None:
        runs = [dead(at=NOON + n * MINUTE) for n in range(3)]
        await keep(begin, *runs)

        redrive = await ask(begin, a_redrive(most=2))

        assert list(await listed(begin, redrive)) == [runs[0].id, runs[1].id]

    async def test_those_that_die_later_are_not_its_own(self, begin: Begin, job: Job) -> None:
        run = dead()
        await keep(begin, run)
        redrive = await ask(begin, a_redrive())

        await keep(begin, dead(at=NOON + HOUR))

        assert list(await listed(begin, redrive)) == [run.id]

    async def test_it_is_stored_as_it_is(self, begin: Begin, dead_letters: DeadLetters, job: Job) -> None:
        wanted = LetterFilter(
            fingerprint="0123456789abcdef",
            job="reports.daily",
            schedule_id=ScheduleId(next_id()),
            labels={"team": "bi"},
            since=NOON,
            until=NOON + SECOND,
        )
        asked = a_redrive(wanted, per_sec=0.25, most=7, stop_after=3, payload=Json('{"kind": "full"}'))

        await ask(begin, asked)
        look = await dead_letters.redrive(ACME, asked.id)

        assert (fields_of(look.redrive), look.dead) == (fields_of(asked), 0)
        assert look.redrive.state is RedriveState.DONE

    async def test_what_is_not_committed_never_was(self, begin: Begin, dead_letters: DeadLetters, job: Job) -> None:
        await keep(begin, dead())
        redrive = a_redrive()
        async with begin() as work:
            await work.redrives.add(redrive)

        with pytest.raises(NotFoundError):
            await dead_letters.redrive(ACME, redrive.id)
        assert list(await listed(begin, redrive)) == []

    async def test_what_is_unknown_or_another_tenants_is_not_found(
        self, begin: Begin, dead_letters: DeadLetters, job: Job
    ) -> None:
        redrive = await ask(begin, a_redrive())

        for tenant_id, redrive_id in ((GLOBEX, redrive.id), (ACME, RedriveId(next_id()))):
            with pytest.raises(NotFoundError):
                await dead_letters.redrive(tenant_id, redrive_id)
            async with begin() as work:
                with pytest.raises(NotFoundError):
                    await work.redrives.get(tenant_id, redrive_id)

    async def test_it_goes_on_from_where_it_has_come_to(
        self, begin: Begin, dead_letters: DeadLetters, job: Job
    ) -> None:
        runs = [dead(at=NOON + n * MINUTE) for n in range(3)]
        await keep(begin, *runs)
        redrive = await ask(begin, a_redrive())

        async with begin() as work:
            own = await work.redrives.ready(NOON)
            assert own is not None
            own.advance(runs[1].id, made=1, passed=1, now=NOON)
            await work.commit()

        look = await dead_letters.redrive(ACME, redrive.id)
        assert (look.redrive.made, look.redrive.passed, look.redrive.reached) == (1, 1, runs[1].id)
        assert list(await listed(begin, look.redrive)) == [runs[2].id]

    async def test_the_one_that_has_waited_longest_is_next_and_only_if_its_pace_allows(
        self, begin: Begin, job: Job
    ) -> None:
        await keep(begin, dead())
        second = await ask(begin, a_redrive(now=NOON + MINUTE))
        first = await ask(begin, a_redrive())
        over = await ask(begin, a_redrive(LetterFilter(job="unknown")))
        assert over.state is RedriveState.DONE

        async with begin() as work:
            early = await work.redrives.ready(NOON - SECOND)
            due = await work.redrives.ready(NOON + HOUR)

        assert early is None
        assert due is not None
        assert due.id == first.id != second.id

    async def test_one_that_somebody_works_on_is_passed_over(self, begin: Begin, job: Job) -> None:
        await keep(begin, dead())
        first, second = await ask(begin, a_redrive()), await ask(begin, a_redrive(now=NOON + SECOND))

        async with begin() as one, begin() as other, begin() as third:
            taken = [await work.redrives.ready(NOON + HOUR) for work in (one, other, third)]

        assert [each and each.id for each in taken] == [first.id, second.id, None]

    async def test_a_cancellation_waits_for_the_portion_that_is_being_made(
        self, begin: Begin, dead_letters: DeadLetters, job: Job, somebody_waits: Any
    ) -> None:
        run, last = dead(), dead(at=NOON + MINUTE)
        await keep(begin, run, last)
        redrive = await ask(begin, a_redrive())

        async def cancel() -> None:
            async with begin() as work:
                (await work.redrives.get(ACME, redrive.id)).cancel("enough", NOON)
                await work.commit()

        async with begin() as work:
            own = await work.redrives.ready(NOON)
            assert own is not None
            cancelling = asyncio.create_task(cancel())
            await somebody_waits()
            own.advance(run.id, made=1, passed=0, now=NOON)
            await work.commit()
        await cancelling

        now = (await dead_letters.redrive(ACME, redrive.id)).redrive
        assert (now.state, now.reason, now.made) == (RedriveState.CANCELLED, "enough", 1)

    async def test_who_was_retried_is_known_across_units_of_work(self, begin: Begin, job: Job) -> None:
        runs = [dead() for _ in range(3)]
        await keep(begin, *runs, ended(retry_of=runs[1].id))

        async with begin() as work:
            found = await work.redrives.retried(ACME, [run.id for run in runs])
            none = await work.redrives.retried(ACME, [])
            theirs = await work.redrives.retried(GLOBEX, [runs[1].id])

        assert (set(found), list(none), list(theirs)) == ({runs[1].id}, [], [])

    async def test_only_its_own_new_runs_count_as_dead_again(
        self, begin: Begin, dead_letters: DeadLetters, job: Job
    ) -> None:
        letters = [dead() for _ in range(3)]
        await keep(begin, *letters)
        redrive = await ask(begin, a_redrive())
        later = NOON + HOUR
        failed = dead(at=later, retry_of=letters[0].id)
        done = ended(at=later, retry_of=letters[1].id)
        somebody_elses = dead(at=later, retry_of=letters[2].id)
        async with begin() as work:
            for run in (failed, done, somebody_elses):
                work.runs.add(run)
            await work.redrives.link(redrive, {letters[0].id: failed.id, letters[1].id: done.id})
            await work.commit()

        async with begin() as work:
            assert await work.redrives.dead(redrive) == 1
        assert (await dead_letters.redrive(ACME, redrive.id)).dead == 1


def fields_of(redrive: Redrive) -> dict[str, Any]:
    return {name: getattr(redrive, name) for name in Redrive.__slots__}


class TestInMemoryDeadLetters(InMemoryLetters, DeadLettersContract):
    pass


class TestPostgresDeadLetters(LettersOnPostgres, DeadLettersContract):
    pass


class TestInMemoryRedrives(InMemoryLetters, RedrivesContract):
    pass


class TestPostgresRedrives(LettersOnPostgres, RedrivesContract):
    pass
