"""Runs that wait for their turn: in which lanes, who is next, and how many go at once under one key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.contract.adapters import InMemory, OnPostgres
from tests.contract.given import (
    EVENT,
    HTTP,
    a_delivery,
    a_job_with,
    a_keyed_job,
    ids,
    key_of,
    later,
    made,
    now_of,
    over,
    parked,
    put,
    queued,
    ready,
    running,
)
from tests.support.builders import ACME, FAILURE, GLOBEX, HOUR, MINUTE, NOON, SECOND, a_job, next_id
from tests.support.stored import all_events, event_types, store

from rota.application.ports.keys import LaneKey
from rota.application.ports.log import EventLog
from rota.application.ports.store import Begin
from rota.application.ports.waiting import ConcurrencyKey, WaitingLane
from rota.domain.delivery import AT_ONCE
from rota.domain.errors import ConcurrentChangeError
from rota.domain.ids import RunId, ScheduleId
from rota.domain.job import Job
from rota.domain.run import Run
from rota.domain.run_events import Cause, RunState
from rota.domain.terms import RateLimit


def lane_of(of: Job) -> LaneKey:
    return (of.tenant_id, str(of.id))


async def lanes(begin: Begin, count_to: int = 100) -> dict[LaneKey, WaitingLane]:
    async with begin() as work:
        return {lane.key: lane for lane in await work.waiting.lanes(count_to)}


async def take(begin: Begin, wanted: dict[LaneKey, int]) -> list[RunId]:
    """What would be taken now; nothing is."""
    async with begin() as work:
        return ids(await work.waiting.take(wanted))


class TurnsContract:
    async def test_one_at_a_time_gives_turns(self, begin: Begin) -> None:
        async with begin() as one, begin() as another:
            assert await one.waiting.hold()
            assert not await another.waiting.hold()
            assert await one.waiting.hold()

    @pytest.mark.parametrize("commits", [True, False])
    async def test_the_next_one_may_once_the_work_is_done(self, begin: Begin, commits: bool) -> None:
        async with begin() as one:
            await one.waiting.hold()
            if commits:
                await one.commit()

        async with begin() as another:
            assert await another.waiting.hold()

    async def test_who_writes_events_needs_no_turn(self, begin: Begin) -> None:
        async with begin() as one:
            await one.waiting.hold()
            await store(begin, a_job())


class LanesContract:
    async def test_a_lane_tells_how_many_wait_and_how_many_are_under_way(self, begin: Begin) -> None:
        job = a_job_with(max_concurrent=3)
        await store(begin, job)
        await put(
            begin,
            *(ready(job) for _ in range(3)),
            *(queued(job) for _ in range(2)),
            running(job),
            over(job),
        )

        (lane,) = (await lanes(begin)).values()

        assert lane.key == lane_of(job)
        assert (lane.waiting, lane.queued, lane.running) == (3, 2, 1)

    async def test_what_runs_is_counted_only_where_it_is_limited(self, begin: Begin, job: Job) -> None:
        await put(begin, ready(job), running(job))

        (lane,) = (await lanes(begin)).values()

        assert (lane.waiting, lane.running) == (1, 0)

    async def test_it_is_counted_up_to_a_bound(self, begin: Begin, job: Job) -> None:
        await put(begin, *(ready(job) for _ in range(3)))

        assert (await lanes(begin, 2))[lane_of(job)].waiting == 2

    async def test_each_has_its_own(self, begin: Begin, job: Job) -> None:
        other, theirs = a_job("other"), a_job(tenant_id=GLOBEX)
        await store(begin, other, theirs)
        http, event = a_delivery(HTTP), a_delivery(EVENT)
        await put(
            begin,
            *(ready(each) for each in (job, other, other, theirs, http, event)),
            ready(event, tenant_id=GLOBEX),
            queued(event, tenant_id=GLOBEX),
        )

        found = await lanes(begin)

        assert {key: (lane.waiting, lane.queued) for key, lane in found.items()} == {
            lane_of(job): (1, 0),
            lane_of(other): (2, 0),
            lane_of(theirs): (1, 0),
            (ACME, "https://hooks.example.com:8443"): (1, 0),
            (ACME, "event"): (1, 0),
            (GLOBEX, "event"): (1, 1),
        }

    async def test_where_nobody_waits_for_a_turn_there_is_no_lane(self, begin: Begin, job: Job) -> None:
        retrying = running(job)
        retrying.fail(FAILURE, NOON)
        await put(
            begin,
            queued(job),
            over(job),
            parked(job, "key:a"),
            retrying,
            made(job, due_at=later(1), now=NOON).accept(),
        )

        assert await lanes(begin) == {}

    async def test_what_waits_out_a_backoff_waits_for_its_turn_after_it(self, begin: Begin, job: Job) -> None:
        run = running(job)
        run.fail(FAILURE, NOON)
        run.line_up(later(1))
        await put(begin, run)

        assert (await lanes(begin))[lane_of(job)].waiting == 1

    async def test_the_limits_are_those_of_the_job_as_it_is_now(self, begin: Begin) -> None:
        job = a_job_with(max_concurrent=3)
        await store(begin, job)
        await put(begin, ready(job))
        before = (await lanes(begin))[lane_of(job)]

        async with begin() as work:
            known = await work.jobs.get(ACME, job.id)
            limited = replace(known.definition, max_concurrent=5, rate_limit=RateLimit(10, MINUTE))
            known.change(limited, now=NOON)
            await work.commit()

        after = (await lanes(begin))[lane_of(job)]
        assert (before.max_concurrent, before.rate_limit) == (3, None)
        assert (after.max_concurrent, after.rate_limit) == (5, RateLimit(10, MINUTE))

    async def test_a_receiver_is_limited_like_every_receiver(self, begin: Begin) -> None:
        await put(begin, ready(a_delivery(HTTP)))

        (lane,) = (await lanes(begin)).values()

        assert lane.is_delivery
        assert (lane.max_concurrent, lane.rate_limit) == (AT_ONCE, None)

    async def test_what_is_spent_is_kept(self, begin: Begin, job: Job) -> None:
        theirs = a_job(tenant_id=GLOBEX)
        await store(begin, theirs)
        await put(begin, ready(job), ready(theirs))
        assert (await lanes(begin))[lane_of(job)].spent_until is None

        for until in (NOON, NOON + SECOND):
            async with begin() as work:
                await work.waiting.spend({lane_of(job): until})
                await work.commit()

        found = await lanes(begin)
        assert found[lane_of(job)].spent_until == NOON + SECOND
        assert found[lane_of(theirs)].spent_until is None

    async def test_what_is_not_committed_is_not_spent(self, begin: Begin, job: Job) -> None:
        await put(begin, ready(job))

        async with begin() as work:
            await work.waiting.spend({lane_of(job): NOON})
            assert [lane.spent_until for lane in await work.waiting.lanes(1)] == [NOON]

        assert (await lanes(begin))[lane_of(job)].spent_until is None

    async def test_spending_nothing_is_nothing(self, begin: Begin) -> None:
        async with begin() as work:
            await work.waiting.spend({})
            await work.commit()

    async def test_how_many_are_queued_is_told_of_each_lane_asked_for(self, begin: Begin, job: Job) -> None:
        other, theirs = a_job("other"), a_job(tenant_id=GLOBEX)
        await store(begin, other, theirs)
        await put(begin, queued(job), queued(job), running(job), ready(job), queued(theirs), over(other))

        async with begin() as work:
            found = await work.waiting.queued([lane_of(job), lane_of(other), lane_of(job)])
            none = await work.waiting.queued([])

        assert dict(found) == {lane_of(job): 2, lane_of(other): 0}
        assert dict(none) == {}


class TakingContract:
    async def test_who_has_waited_longest_goes_first(self, begin: Begin, job: Job) -> None:
        runs = {minute: ready(job, later(minute)) for minute in (2, 1, 3)}
        await put(begin, *runs.values())

        assert await take(begin, {lane_of(job): 2}) == ids([runs[1], runs[2]])

    async def test_of_equals_the_older_one(self, begin: Begin, job: Job) -> None:
        runs = [ready(job) for _ in range(4)]
        await put(begin, *reversed(runs))

        assert await take(begin, {lane_of(job): 3}) == ids(runs[:3])

    async def test_a_step_of_priority_is_worth_a_minute(self, begin: Begin, job: Job) -> None:
        urgent, old, idle = ready(job, NOON, priority=2), ready(job, later(-1)), ready(job, later(-3), priority=-4)
        await put(begin, idle, old, urgent)

        assert await take(begin, {lane_of(job): 3}) == ids([urgent, old, idle])

    async def test_each_lane_gives_as_many_as_wanted(self, begin: Begin, job: Job) -> None:
        other, theirs, event = a_job("other"), a_job(tenant_id=GLOBEX), a_delivery(EVENT)
        await store(begin, other, theirs)
        runs = {of: [ready(of, later(minute)) for minute in range(3)] for of in (job, other, theirs, event)}
        await put(begin, *(run for each in runs.values() for run in each))

        taken = await take(begin, {lane_of(job): 1, lane_of(other): 2, lane_of(theirs): 5, (ACME, "event"): 2})

        expected = [*runs[job][:1], *runs[other][:2], *runs[theirs], *runs[event][:2]]
        assert sorted(taken) == sorted(ids(expected))

    async def test_another_tenants_lane_is_empty(self, begin: Begin, job: Job) -> None:
        await put(begin, ready(job), ready(a_delivery()))

        assert await take(begin, {(GLOBEX, str(job.id)): 5, (GLOBEX, "event"): 5}) == []

    async def test_wanting_nothing_is_getting_nothing(self, begin: Begin, job: Job) -> None:
        await put(begin, ready(job))

        assert await take(begin, {}) == []

    async def test_only_what_waits_for_its_turn_is_taken(self, begin: Begin, job: Job) -> None:
        to_come = made(job, due_at=later(1), now=NOON).accept()
        await put(begin, queued(job), running(job), over(job), parked(job, "key:a"), to_come)

        assert await take(begin, {lane_of(job): 10}) == []

    async def test_a_run_comes_as_it_is(self, begin: Begin, job: Job) -> None:
        run = ready(job)
        await put(begin, run)

        async with begin() as work:
            (taken,) = await work.waiting.take({lane_of(job): 1})

        assert (taken.id, taken.job, taken.rank) == (run.id, job.terms(), NOON)

    async def test_what_goes_is_stored_and_waits_no_more(self, begin: Begin, job: Job, log: EventLog) -> None:
        run = ready(job)
        await put(begin, run)

        async with begin() as work:
            (taken,) = await work.waiting.take({lane_of(job): 1})
            taken.go(NOON)
            await work.commit()

        assert (await now_of(begin, run)).state is RunState.QUEUED
        assert await take(begin, {lane_of(job): 1}) == []
        assert await event_types(log) == ["run.queued"]

    async def test_what_is_not_committed_still_waits(self, begin: Begin, job: Job) -> None:
        run = ready(job)
        await put(begin, run)

        async with begin() as work:
            (taken,) = await work.waiting.take({lane_of(job): 1})
            taken.go(NOON)

        assert await take(begin, {lane_of(job): 1}) == [run.id]

    async def test_what_others_hold_is_passed_over_and_does_not_count(self, begin: Begin, job: Job) -> None:
        runs = [ready(job, later(minute)) for minute in range(3)]
        await put(begin, *runs)

        async with begin() as one, begin() as another:
            assert ids(await one.waiting.take({lane_of(job): 1})) == ids(runs[:1])
            assert ids(await another.waiting.take({lane_of(job): 1})) == ids(runs[1:2])
            assert await take(begin, {lane_of(job): 5}) == ids(runs[2:])

    async def test_what_is_taken_and_loaded_is_one_thing(self, begin: Begin, job: Job) -> None:
        run = ready(job)
        await put(begin, run)

        async with begin() as work:
            (taken,) = await work.waiting.take({lane_of(job): 1})
            (loaded,) = (await work.runs.load([key_of(run)])).values()

        assert taken is loaded


class ConcurrencyKeysContract:
    """Of the runs that share a key, one is QUEUED or RUNNING."""

    @pytest.fixture
    async def keyed(self, begin: Begin) -> Job:
        stored = a_keyed_job()
        await store(begin, stored)
        return stored

    async def held(self, begin: Begin, *keys: ConcurrencyKey) -> set[ConcurrencyKey]:
        async with begin() as work:
            return set(await work.waiting.held(keys))

    async def test_a_key_is_held_by_what_is_under_way(self, begin: Begin, keyed: Job) -> None:
        await put(
            begin,
            queued(keyed, customer="queued"),
            running(keyed, customer="running"),
            ready(keyed, customer="ready"),
            over(keyed, customer="over"),
            parked(keyed, "key:a", customer="parked"),
        )
        names = ("queued", "running", "ready", "over", "parked", "nobody's")
        keys = {name: ConcurrencyKey(ACME, keyed.id, f'"{name}"') for name in names}

        assert await self.held(begin, *keys.values()) == {keys["queued"], keys["running"]}
        assert await self.held(begin) == set()

    async def test_another_jobs_or_tenants_key_is_another(self, begin: Begin, keyed: Job) -> None:
        other, theirs = a_keyed_job("other"), a_keyed_job(tenant_id=GLOBEX)
        await store(begin, other, theirs)
        await put(begin, queued(keyed, customer="a"))

        others = [ConcurrencyKey(ACME, other.id, '"a"'), ConcurrencyKey(GLOBEX, keyed.id, '"a"')]
        assert await self.held(begin, *others) == set()
        await put(begin, queued(other, customer="a"), queued(theirs, customer="a"))

    @pytest.mark.parametrize("holder", [queued, running])
    async def test_a_second_one_is_refused_with_all_that_came_with_it(
        self, begin: Begin, keyed: Job, log: EventLog, holder: Callable[..., Run]
    ) -> None:
        await put(begin, holder(keyed, customer="a"))

        with pytest.raises(ConcurrentChangeError, match="concurrency key"):
            await put(begin, ready(keyed), made(keyed, customer="a").accept_queued())

        assert await lanes(begin) == {}
        assert await all_events(log) == []

    async def test_also_two_at_once(self, begin: Begin, keyed: Job) -> None:
        with pytest.raises(ConcurrentChangeError, match="concurrency key"):
            await put(begin, queued(keyed, customer="a"), queued(keyed, customer="a"))

    async def test_also_one_whose_turn_comes(self, begin: Begin, keyed: Job) -> None:
        await put(begin, running(keyed, customer="a"), ready(keyed, customer="a"))

        async with begin() as work:
            (taken,) = await work.waiting.take({lane_of(keyed): 1})
            taken.go(NOON)
            with pytest.raises(ConcurrentChangeError, match="concurrency key"):
                await work.commit()

    async def test_a_due_time_that_is_taken_is_only_dropped(self, begin: Begin, keyed: Job) -> None:
        """Whoever takes a due time a second time has the same key, and does nobody harm."""
        schedule_id = ScheduleId(next_id())
        run, double = (queued(keyed, customer="a", schedule_id=schedule_id, cause=Cause.SCHEDULE) for _ in range(2))
        await put(begin, run)

        async with begin() as work:
            work.runs.add(double)
            await work.commit()
            assert ids(work.runs.refused()) == [double.id]

    async def test_any_number_may_wait(self, begin: Begin, keyed: Job) -> None:
        await put(begin, running(keyed, customer="a"), *(ready(keyed, customer="a") for _ in range(2)))

    async def test_those_without_a_value_are_not_in_each_others_way(self, begin: Begin, keyed: Job) -> None:
        await put(begin, queued(keyed), queued(keyed), queued(keyed, customer="a"), queued(keyed, customer="b"))

    @pytest.mark.parametrize("ending", ["succeed", "retry", "cancel"])
    async def test_who_is_not_under_way_any_more_lets_go(self, begin: Begin, keyed: Job, ending: str) -> None:
        holder = running(keyed, customer="a")
        await put(begin, holder)

        async with begin() as work:
            (known,) = (await work.runs.load([key_of(holder)])).values()
            if ending == "succeed":
                known.succeed(None, NOON)
            elif ending == "retry":
                known.fail(FAILURE, NOON)
            else:
                known.cancel("", NOON)
                known.stop(NOON)
            await work.commit()

        assert await self.held(begin, ConcurrencyKey(ACME, keyed.id, '"a"')) == set()
        await put(begin, queued(keyed, customer="a"))

    async def test_who_is_queued_again_keeps_it(self, begin: Begin, keyed: Job) -> None:
        holder = running(keyed, customer="a")
        await put(begin, holder)

        async with begin() as work:
            (known,) = (await work.runs.load([key_of(holder)])).values()
            known.lose(NOON + HOUR, "silent")
            await work.commit()

        assert await self.held(begin, ConcurrencyKey(ACME, keyed.id, '"a"'))


class TestInMemoryTurns(InMemory, TurnsContract):
    pass


class TestPostgresTurns(OnPostgres, TurnsContract):
    pass


class TestInMemoryLanes(InMemory, LanesContract):
    pass


class TestPostgresLanes(OnPostgres, LanesContract):
    pass


class TestInMemoryTaking(InMemory, TakingContract):
    pass


class TestPostgresTaking(OnPostgres, TakingContract):
    pass


class TestInMemoryConcurrencyKeys(InMemory, ConcurrencyKeysContract):
    pass


class TestPostgresConcurrencyKeys(OnPostgres, ConcurrencyKeysContract):
    pass
