"""What an outage leaves behind: misses, and catch-ups that are made in portions."""

from __future__ import annotations

from datetime import datetime

import pytest
from tests.contract.adapters import InMemory, OnPostgres
from tests.support.builders import ACME, GLOBEX, HOUR, MINUTE, NOON, SECOND, a_job, a_schedule
from tests.support.stored import store

from rota.application.ports.reads import Paging, Reads, Upcoming
from rota.application.ports.store import Begin
from rota.domain.decision import CatchUp, Miss
from rota.domain.misfire import Span
from rota.domain.schedule import Schedule


@pytest.fixture
async def schedule(begin: Begin) -> Schedule:
    job = a_job()
    stored = a_schedule(job=job)
    await store(begin, job, stored)
    return stored


def a_miss(schedule: Schedule, first: datetime = NOON, *, rule: str = "SKIP") -> Miss:
    return Miss(schedule.tenant_id, schedule.id, Span(first, first + MINUTE, 2), rule, first + HOUR)


def a_catch_up(schedule: Schedule, first: datetime = NOON, *, decided_at: datetime = NOON + HOUR) -> CatchUp:
    return CatchUp(schedule.tenant_id, schedule.id, 1, Span(first, first + MINUTE, 2), decided_at)


async def oldest(begin: Begin) -> CatchUp | None:
    async with begin() as work:
        return next(iter(await work.catch_ups.oldest(1)), None)


class MissesContract:
    async def test_a_miss_is_recorded_as_it_was_decided(self, begin: Begin, reads: Reads, schedule: Schedule) -> None:
        miss = a_miss(schedule)

        await store(begin, miss)

        assert (await reads.misses(ACME, schedule.id, Paging(10))).items == [miss]

    async def test_a_miss_that_is_recorded_already_stays_the_one(
        self, begin: Begin, reads: Reads, schedule: Schedule
    ) -> None:
        """A ONE_SHOT that is moved away and back is decided twice; one due time has one miss."""
        await store(begin, a_miss(schedule, rule="SKIP"))

        await store(begin, a_miss(schedule, rule="FIRE_ONCE"))

        assert (await reads.misses(ACME, schedule.id, Paging(10))).items == [a_miss(schedule, rule="SKIP")]

    async def test_the_latest_come_first_from_before_an_instant(
        self, begin: Begin, reads: Reads, schedule: Schedule
    ) -> None:
        made = [a_miss(schedule, NOON + n * HOUR) for n in range(4)]
        await store(begin, *made)

        assert (await reads.misses(ACME, schedule.id, Paging(2))).items == [made[3], made[2]]
        assert (await reads.misses(ACME, schedule.id, Paging(2, after=NOON + 2 * HOUR))).items == [made[1], made[0]]

    async def test_they_have_numbered_pages(self, begin: Begin, reads: Reads, schedule: Schedule) -> None:
        made = [a_miss(schedule, NOON + n * HOUR) for n in range(3)]
        await store(begin, *made)

        first = await reads.misses(ACME, schedule.id, Paging(2, page=1))
        second = await reads.misses(ACME, schedule.id, Paging(2, page=2))

        assert (first.items, first.next_after, first.total) == ([made[2], made[1]], NOON + HOUR, 3)
        assert (second.items, second.next_after, second.total) == ([made[0]], None, 3)

    async def test_another_tenant_sees_none_of_them(self, begin: Begin, reads: Reads, schedule: Schedule) -> None:
        await store(begin, a_miss(schedule))

        assert (await reads.misses(GLOBEX, schedule.id, Paging(10))).items == []


class CatchUpsContract:
    async def test_the_one_decided_first_is_the_oldest(self, begin: Begin, schedule: Schedule) -> None:
        later = a_catch_up(schedule, NOON, decided_at=NOON + 2 * HOUR)
        earlier = a_catch_up(schedule, NOON + HOUR, decided_at=NOON + HOUR)
        await store(begin, later, earlier)

        assert await oldest(begin) == earlier

    async def test_without_any_there_is_none(self, begin: Begin, upcoming: Upcoming) -> None:
        assert await oldest(begin) is None
        assert not await upcoming.has_catch_ups()

    async def test_that_there_are_some_is_known(self, begin: Begin, schedule: Schedule, upcoming: Upcoming) -> None:
        await store(begin, a_catch_up(schedule))

        assert await upcoming.has_catch_ups()

    async def test_how_far_it_has_come_is_kept(self, begin: Begin, schedule: Schedule) -> None:
        await store(begin, a_catch_up(schedule))

        async with begin() as work:
            [catch_up] = await work.catch_ups.oldest(1)
            await work.catch_ups.move(catch_up, NOON + SECOND)
            await work.commit()

        moved = await oldest(begin)
        assert moved is not None
        assert (moved.made_to, moved.span, moved.revision) == (NOON + SECOND, catch_up.span, 1)

    async def test_what_is_finished_is_gone(self, begin: Begin, schedule: Schedule, upcoming: Upcoming) -> None:
        await store(begin, a_catch_up(schedule), a_catch_up(schedule, NOON + HOUR))

        async with begin() as work:
            [catch_up] = await work.catch_ups.oldest(1)
            await work.catch_ups.finish([catch_up])
            await work.commit()

        left = await oldest(begin)
        assert left is not None
        assert left.span.first != catch_up.span.first
        assert await upcoming.has_catch_ups()

    @pytest.mark.parametrize("step", ["move", "finish"])
    async def test_a_step_that_is_not_committed_never_happened(
        self, begin: Begin, schedule: Schedule, step: str
    ) -> None:
        await store(begin, a_catch_up(schedule))

        async with begin() as work:
            [catch_up] = await work.catch_ups.oldest(1)
            if step == "move":
                await work.catch_ups.move(catch_up, NOON + SECOND)
            else:
                await work.catch_ups.finish([catch_up])

        assert await oldest(begin) == a_catch_up(schedule)

    async def test_one_that_somebody_works_on_is_passed_over(self, begin: Begin, schedule: Schedule) -> None:
        first = a_catch_up(schedule, NOON, decided_at=NOON)
        second = a_catch_up(schedule, NOON + HOUR, decided_at=NOON + HOUR)
        await store(begin, first, second)

        async with begin() as one:
            [mine] = await one.catch_ups.oldest(1)
            yours = await oldest(begin)
            async with begin() as another:
                await another.catch_ups.oldest(1)
                theirs = await oldest(begin)

        assert (mine, yours, theirs) == (first, second, None)

    async def test_what_is_set_aside_already_stays_the_one(self, begin: Begin, schedule: Schedule) -> None:
        """A ONE_SHOT that is moved away and back is decided twice, and caught up with once."""
        await store(begin, a_catch_up(schedule, decided_at=NOON))

        await store(begin, a_catch_up(schedule, decided_at=NOON + HOUR))

        assert await oldest(begin) == a_catch_up(schedule, decided_at=NOON)


class TestInMemoryMisses(InMemory, MissesContract):
    pass


class TestPostgresMisses(OnPostgres, MissesContract):
    pass


class TestInMemoryCatchUps(InMemory, CatchUpsContract):
    pass


class TestPostgresCatchUps(OnPostgres, CatchUpsContract):
    pass
