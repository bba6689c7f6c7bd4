"""Runs behind a gate: when it opens, and that one goes through at a time."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from tests.contract.adapters import InMemory, OnPostgres
from tests.contract.given import (
    EVENT,
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
    quiet,
    ready,
    running,
)
from tests.support.builders import ACME, FAILURE, GLOBEX, NOON, a_job, next_id
from tests.support.stored import event_types, state, store

from rota.application.ports.log import EventLog
from rota.application.ports.store import Begin
from rota.domain.gates import key_gate, schedule_gate
from rota.domain.ids import ScheduleId
from rota.domain.job import Job
from rota.domain.run import Run

SCHEDULE = ScheduleId(next_id())
GATE = schedule_gate(SCHEDULE)


def behind(job: Job, minute: float = 0, schedule_id: ScheduleId = SCHEDULE, **more: Any) -> Run:  # Any: as of `made`
    """A run that goes when the earlier ones of its schedule have ended."""
    return parked(job, schedule_gate(schedule_id), later(minute), schedule_id=schedule_id, **more)


async def open_gates(begin: Begin) -> int:
    async with begin() as work:
        opened = await work.waiting.open_gates()
        await work.commit()
        return opened


async def gate_of(begin: Begin, run: Run) -> str | None:
    return (await now_of(begin, run)).parked_on


async def finish(begin: Begin, run: Run) -> None:
    async with begin() as work:
        (known,) = (await work.runs.load([key_of(run)])).values()
        known.succeed(None, NOON)
        await work.commit()


class GatesContract:
    async def test_without_gates_nothing_is_opened(self, begin: Begin, job: Job) -> None:
        await put(begin, ready(job), queued(job))

        assert await open_gates(begin) == 0

    # Of a schedule

    @pytest.mark.parametrize("earlier", [queued, running, ready])
    async def test_a_schedules_gate_is_closed_while_an_earlier_run_goes_on(
        self, begin: Begin, job: Job, earlier: Any
    ) -> None:
        waits = behind(job)
        await put(begin, earlier(job, schedule_id=SCHEDULE), waits)

        assert await open_gates(begin) == 0
        assert await gate_of(begin, waits) == GATE

    async def test_also_while_one_waits_for_its_time_or_its_next_attempt(self, begin: Begin, job: Job) -> None:
        for hinders in (made(job, due_at=later(1), now=NOON, schedule_id=SCHEDULE).accept(), self.retrying(job)):
            other = ScheduleId(next_id())
            hinders.schedule_id = other
            waits = behind(job, schedule_id=other)
            await put(begin, quiet(hinders), waits)

            assert await open_gates(begin) == 0

    async def test_it_opens_when_none_does_and_its_first_waits_for_its_turn(self, begin: Begin, job: Job) -> None:
        earlier, second, first = running(job, schedule_id=SCHEDULE), behind(job, 2), behind(job, 1)
        await put(begin, earlier, second, first, over(job, schedule_id=SCHEDULE))
        await finish(begin, earlier)

        assert await open_gates(begin) == 1

        assert await gate_of(begin, first) is None
        assert await gate_of(begin, second) == GATE
        async with begin() as work:
            assert ids(await work.waiting.take({(ACME, str(job.id)): 5})) == [first.id]

    async def test_the_next_follows_when_that_one_has_ended(self, begin: Begin, job: Job) -> None:
        first, second = behind(job, 1), behind(job, 2)
        await put(begin, first, second)
        await open_gates(begin)
        assert await open_gates(begin) == 0

        async with begin() as work:
            (taken,) = await work.waiting.take({(ACME, str(job.id)): 1})
            taken.cancel("", NOON)
            await work.commit()

        assert await open_gates(begin) == 1
        assert await gate_of(begin, second) is None

    async def test_of_equals_the_older_one_is_first(self, begin: Begin, job: Job) -> None:
        runs = [behind(job) for _ in range(3)]
        await put(begin, *reversed(runs))

        await open_gates(begin)

        assert [await gate_of(begin, run) for run in runs] == [None, GATE, GATE]

    async def test_other_schedules_and_tenants_are_not_waited_for(self, begin: Begin, job: Job) -> None:
        theirs = a_job(tenant_id=GLOBEX)
        await store(begin, theirs)
        waits = behind(job)
        await put(
            begin,
            waits,
            running(job, schedule_id=ScheduleId(next_id())),
            running(job),
            running(theirs, schedule_id=SCHEDULE),
            behind(theirs),
        )

        assert await open_gates(begin) == 1
        assert await gate_of(begin, waits) is None

    async def test_each_gate_lets_one_through(self, begin: Begin, job: Job) -> None:
        schedules = [ScheduleId(next_id()) for _ in range(5)]
        runs = [behind(job, minute, schedule_id) for minute in (1, 2) for schedule_id in schedules]
        await put(begin, *runs)

        assert await open_gates(begin) == 5
        assert [await gate_of(begin, run) is None for run in runs] == [True] * 5 + [False] * 5

    async def test_deliveries_wait_there_too(self, begin: Begin) -> None:
        waits = parked(a_delivery(EVENT), GATE, schedule_id=SCHEDULE)
        await put(begin, waits)

        assert await open_gates(begin) == 1
        assert await gate_of(begin, waits) is None

    async def test_who_waits_at_a_keys_gate_stands_before_the_schedules(self, begin: Begin) -> None:
        job = a_keyed_job()
        await store(begin, job)
        holder, waits = running(job, customer="a"), behind(job, customer="a")
        at_the_key = parked(job, key_gate(job.terms(), '"a"'), customer="a", schedule_id=SCHEDULE)
        await put(begin, holder, at_the_key, waits)

        assert await open_gates(begin) == 0
        await finish(begin, holder)
        assert await open_gates(begin) == 1

        assert await gate_of(begin, at_the_key) is None
        assert await gate_of(begin, waits) == GATE

    # Of a key

    @pytest.mark.parametrize("holder", [queued, running])
    async def test_a_keys_gate_is_closed_while_the_key_is_held(self, begin: Begin, holder: Any) -> None:
        job = a_keyed_job()
        await store(begin, job)
        waits = parked(job, key_gate(job.terms(), '"a"'), customer="a")
        await put(begin, holder(job, customer="a"), waits)

        assert await open_gates(begin) == 0

    async def test_it_opens_when_nobody_holds_it(self, begin: Begin) -> None:
        job, other = a_keyed_job(), a_keyed_job("other")
        await store(begin, job, other)
        gate = key_gate(job.terms(), '"a"')
        second, first = (parked(job, gate, later(minute), customer="a") for minute in (2, 1))
        await put(
            begin,
            second,
            first,
            running(job, customer="b"),
            running(other, customer="a"),
            ready(job, customer="a"),
            over(job, customer="a"),
        )

        assert await open_gates(begin) == 1
        assert [await gate_of(begin, run) for run in (first, second)] == [None, gate]

    async def test_a_key_with_a_colon_and_quotes_is_a_key(self, begin: Begin) -> None:
        job = a_job_with(concurrency_key="/customer")
        await store(begin, job)
        customer = "schedule:½ 'x'"
        holder = running(job, customer=customer)
        assert holder.concurrency_key is not None
        waits = parked(job, key_gate(job.terms(), holder.concurrency_key), customer=customer)
        await put(begin, holder, waits)

        assert await open_gates(begin) == 0
        await finish(begin, holder)
        assert await open_gates(begin) == 1

    # What it leaves alone

    async def test_it_is_nobodys_news_and_changes_nothing_else(self, begin: Begin, job: Job, log: EventLog) -> None:
        waits = behind(job, 7, priority=3)
        await put(begin, waits)

        await open_gates(begin)

        assert state(await now_of(begin, waits)) == state(waits) | {"parked_on": None}
        assert await event_types(log) == []

    async def test_what_is_not_committed_never_happened(self, begin: Begin, job: Job) -> None:
        waits = behind(job)
        await put(begin, waits)

        async with begin() as work:
            assert await work.waiting.open_gates() == 1

        assert await gate_of(begin, waits) == GATE

    # Several at once

    async def test_a_first_that_somebody_holds_is_not_waited_for_and_lets_no_other_pass(
        self, begin: Begin, job: Job
    ) -> None:
        first, second = behind(job, 1), behind(job, 2)
        await put(begin, first, second)

        async with begin() as holder:
            await holder.runs.load([key_of(first)])
            assert await open_gates(begin) == 0

        assert await gate_of(begin, second) == GATE

    async def test_two_that_open_gates_let_one_through(self, begin: Begin, job: Job) -> None:
        runs = [behind(job, minute) for minute in range(3)]
        await put(begin, *runs)

        async with begin() as one, begin() as another:
            assert await one.waiting.open_gates() == 1
            assert await another.waiting.open_gates() == 0
            await one.commit()
            await another.commit()

        assert await open_gates(begin) == 0
        assert [await gate_of(begin, run) for run in runs] == [None, GATE, GATE]

    @staticmethod
    def retrying(job: Job, at: datetime = NOON) -> Run:
        run = running(job, at=at)
        run.fail(FAILURE, at)
        return run


class TestInMemoryGates(InMemory, GatesContract):
    pass


class TestPostgresGates(OnPostgres, GatesContract):
    pass
