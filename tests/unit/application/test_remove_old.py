"""What is over is removed batch by batch: all that is old, nothing else, and with rests."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.support.builders import ACME, GLOBEX, HOUR, MINUTE, NOON, SECOND, a_job, a_run, a_schedule, a_worker
from tests.support.ended import ended, id_of, keep
from tests.unit.application.house import ALL, House, states

from rota.application.fire_schedules import FireSchedules
from rota.application.ports.keyed_calls import CallKey
from rota.application.ports.log import Cursor
from rota.application.remove_old import BATCH, REST, RemoveOld, RemoveOldHandler
from rota.domain.errors import UnavailableError
from rota.domain.ids import RunId
from rota.domain.retention import Ages, RetentionPolicy
from rota.domain.run_events import Cause, RunState
from rota.domain.worker import WorkerState
from rota.infrastructure.memory.keyed_calls import InMemoryKeyedCalls
from rota.infrastructure.memory.retention import InMemoryRetention

DAY = timedelta(days=1)


class Removing:
    """The use case on the house's store. All events are published."""

    def __init__(self, house: House, policy: RetentionPolicy | None = None) -> None:
        self.house = house
        self.store = InMemoryRetention(house.store, house.cursors)
        self.handler = RemoveOldHandler(self.store, house.clock, policy or RetentionPolicy())

    async def once(self) -> int:
        await self.house.cursors.move("relay", Cursor(1_000_000))
        return await self.handler(RemoveOld())

    async def sweep(self) -> list[int]:
        """Until it rests."""
        removed = [await self.once()]
        while not self.is_resting:
            removed.append(await self.once())
        return removed

    @property
    def is_resting(self) -> bool:
        rests_until = self.handler.rests_until
        return rests_until is not None and rests_until > self.house.clock.now()


def removing(house: House, **policy: Any) -> Removing:
    return Removing(house, RetentionPolicy(**policy))


async def test_where_nothing_is_old_nothing_goes(house: House) -> None:
    await house.has(a_job())
    await keep(house.begin, ended())

    assert sum(await removing(house).sweep()) == 0
    assert len(await house.runs()) == 1


async def test_runs_go_by_their_state_and_age(house: House) -> None:
    await house.has(a_job())
    await keep(house.begin, *(ended(state) for state in RunState if state.is_final))
    kept = a_run(run_id=RunId(id_of(NOON)))
    await house.has(kept)

    house.clock.advance(30 * DAY + SECOND)
    await removing(house).sweep()
    after_thirty = states(await house.runs())
    house.clock.advance(60 * DAY)
    await removing(house).sweep()

    assert sorted(after_thirty) == ["DEAD", "PENDING"]
    assert states(await house.runs()) == ["PENDING"]


async def test_age_counts_from_the_end_not_from_the_beginning(house: House) -> None:
    await house.has(a_job())
    await keep(house.begin, ended(at=NOON + 20 * DAY, made_at=NOON))
    sweeper = removing(house)

    house.clock.advance(49 * DAY)
    early = sum(await sweeper.sweep())
    house.clock.advance(DAY)

    assert (early, sum(await sweeper.sweep())) == (0, 1)


async def test_tenants_and_jobs_have_their_own_word(house: House) -> None:
    brief, long = a_job("brief", retention=timedelta(0)), a_job("long", retention=1000 * DAY)
    theirs = a_job(tenant_id=GLOBEX)
    await house.has(a_job(), brief, long, theirs)
    await keep(house.begin, ended(), ended(RunState.DEAD, job=brief), ended(job=long), ended(job=theirs))
    sweeper = removing(house, tenants={GLOBEX: Ages(succeeded=HOUR)})

    house.clock.advance(SECOND)
    await sweeper.sweep()
    at_once = {run.job.name for run in await house.runs() if run.job}
    house.clock.advance(HOUR)
    await sweeper.sweep()
    after_an_hour = await house.runs(GLOBEX)
    house.clock.advance(999 * DAY)
    await sweeper.sweep()

    assert (at_once, after_an_hour) == ({"reports.daily", "long"}, [])
    assert [run.job.name for run in await house.runs() if run.job] == ["long"]


async def test_many_go_in_batches(house: House) -> None:
    await house.has(a_job())
    await keep(house.begin, *(ended(at=NOON + n * SECOND / 1000) for n in range(2 * BATCH + 1)))
    house.clock.advance(31 * DAY)

    removed = await removing(house).sweep()

    assert removed[:3] == [BATCH, BATCH, 1]
    assert (await house.runs(), max(removed)) == ([], BATCH)


async def test_what_must_stay_does_not_hold_up_what_lies_beyond(house: House) -> None:
    await house.has(a_job())
    await keep(house.begin, *(ended(RunState.DEAD, NOON + n * SECOND / 1000) for n in range(BATCH + 5)))
    await keep(house.begin, ended(at=NOON + MINUTE))
    house.clock.advance(31 * DAY)

    assert sum(await removing(house).sweep()) == 1
    assert set(states(await house.runs())) == {"DEAD"}


async def test_between_sweeps_it_rests(house: House) -> None:
    await house.has(a_job())
    sweeper = removing(house)
    await sweeper.sweep()
    await keep(house.begin, ended(at=NOON - 31 * DAY))

    resting = [await sweeper.once() for _ in range(5)]
    house.clock.advance(REST + SECOND)

    assert (resting, await sweeper.once()) == ([0] * 5, 1)


async def test_the_more_it_looks_in_vain_the_longer_it_rests(house: House) -> None:
    await house.has(a_job())
    await keep(house.begin, *(ended(RunState.DEAD, NOON + n * SECOND / 1000) for n in range(2 * BATCH)))
    house.clock.advance(31 * DAY)
    sweeper = removing(house)

    await sweeper.sweep()

    assert sweeper.handler.rests_until is not None
    assert sweeper.handler.rests_until > house.clock.now() + REST


async def test_after_a_fault_it_begins_anew(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await house.has(a_job())
    await keep(house.begin, ended())
    house.clock.advance(31 * DAY)
    sweeper = removing(house)

    async def away(*_: object) -> int:
        raise UnavailableError("the database does not answer")

    with monkeypatch.context() as patched:
        patched.setattr(sweeper.store, "remove_runs", away)
        with pytest.raises(UnavailableError):
            await sweeper.once()

    assert sum(await sweeper.sweep()) == 1


async def test_history_that_a_later_word_makes_superfluous_goes(house: House) -> None:
    job, schedule = a_job(), a_schedule()
    await house.has(job, schedule)
    for days in (1, 2, 40):
        async with house.begin() as work:
            own = await work.schedules.get(ACME, schedule.id)
            own.change(replace(own.definition, description=f"after {days} days"), now=NOON + days * DAY)
            await work.commit()
    house.clock.advance(33 * DAY)

    await removing(house).sweep()

    left = [(entry.type, entry.seq) for entry in await house.events()]
    assert left == [("schedule.updated", 3)]


async def test_where_events_are_kept_for_ever_they_stay(house: House) -> None:
    schedule = a_schedule()
    await house.has(a_job(), schedule)
    for n in range(2):
        async with house.begin() as work:
            own = await work.schedules.get(ACME, schedule.id)
            own.change(replace(own.definition, description=str(n)), now=NOON)
            await work.commit()
    house.clock.advance(1000 * DAY)

    await removing(house, ages=Ages(events=None)).sweep()

    assert len(await house.events()) == 2


async def test_workers_that_are_gone_and_old_rejections_go(house: House) -> None:
    await house.has(a_worker(WorkerState.OFFLINE), a_worker())
    house.clock.advance(8 * DAY)

    await removing(house).sweep()

    found = await house.reads.workers(ACME, ALL)
    assert [worker.state for worker in found.items] == [WorkerState.ONLINE]


async def test_answers_go_once_their_keys_count_no_more(house: House) -> None:
    calls = InMemoryKeyedCalls(house.store)
    old, young = (CallKey(ACME, "POST", "/jobs", key) for key in ("old", "young"))
    await calls.claim(old, b"", house.clock.now())
    house.clock.advance(DAY)
    await calls.claim(young, b"", house.clock.now())
    house.clock.advance(SECOND)

    await removing(house).sweep()

    assert list(house.store.tables.keyed_calls) == [young]


async def test_a_due_time_whose_run_was_removed_does_not_fire_again(house: House) -> None:
    schedule = a_schedule()
    await house.has(a_job(), schedule)
    await house.handle(FireSchedules(epoch=1))
    (fired,) = await house.runs()
    async with house.begin() as work:
        (run,) = (await work.runs.load([(ACME, fired.id)])).values()
        run.cancel("not needed", NOON)
        await work.commit()
    decided = (await house.schedule(schedule.id)).decided_to
    sweeper = removing(house, ages=Ages(cancelled=timedelta(0)))
    house.clock.advance(SECOND)

    await sweeper.sweep()
    await house.handle(FireSchedules(epoch=1))

    assert await house.runs() == []
    after = await house.schedule(schedule.id)
    assert (after.decided_to, after.next and after.next.scheduled_for) == (decided, NOON + MINUTE)
    assert fired.cause is Cause.SCHEDULE
