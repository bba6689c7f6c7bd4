"""Due times of the past get their runs: each one, at a pace, behind live work."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.support.builders import ACME, GLOBEX, HOUR, MINUTE, NOON, SECOND, a_job, a_schedule, next_id
from tests.unit.application.house import BeforeCommit, House, due_times

from rota.application import backfill_schedule
from rota.application.backfill_once import BackfillOnce
from rota.application.backfill_schedule import BackfillSchedule
from rota.application.cancel_backfill import CancelBackfill
from rota.application.catch_up import CatchUpOnce
from rota.application.change_schedule import ChangeSchedule
from rota.application.command import MessageBus
from rota.application.delete_job import DeleteJob
from rota.application.delete_schedule import DeleteSchedule
from rota.application.disable_schedule import DisableSchedule
from rota.application.drafts import NamedJob, ScheduleDraft
from rota.application.enable_schedule import EnableSchedule
from rota.application.fire_schedules import FireSchedules
from rota.application.ports.backfills import BackfillLook
from rota.application.skip_fires import SkipFires
from rota.application.trigger_schedule import TriggerSchedule
from rota.domain.backfill import Backfill, BackfillState
from rota.domain.errors import ConflictError, InvalidError, NotFoundError, TransitionError
from rota.domain.ids import BackfillId, ScheduleId
from rota.domain.misfire import MisfirePolicy
from rota.domain.overlap import Overlap
from rota.domain.pause import MakeUp
from rota.domain.payload import Json
from rota.domain.run import Run
from rota.domain.run_events import Cause, RunState
from rota.domain.schedule import Schedule
from rota.domain.trigger import FixedDelay, FixedRate
from rota.entrypoints.bootstrap.upkeep import wire_backfills
from rota.infrastructure.memory.backfills import InMemoryBackfillReads

DAY = timedelta(days=1)


@dataclass
class Backfilling:
    """The use cases on the house's store, and what came of them."""

    house: House
    bus: MessageBus = field(default_factory=MessageBus)

    def __post_init__(self) -> None:
        self._wire(self.bus, self.house.begin)

    def _wire(self, bus: MessageBus, begin: Any) -> None:
        house = self.house
        own = {"clock": house.clock, "ids": house.ids, "control": house.control, "nudge": house.nudge}
        wire_backfills(bus, begin=begin, loops=begin, **own)

    async def ask(
        self, schedule: Schedule, since: datetime, until: datetime, begin: Any = None, **more: Any
    ) -> Backfill:
        bus = self.bus
        if begin is not None:
            bus = MessageBus()
            self._wire(bus, begin)
        asked = BackfillSchedule(tenant_id=ACME, schedule_id=schedule.id, since=since, until=until, **more)
        return await bus.handle(asked)

    async def once(self) -> int:
        return await self.bus.handle(BackfillOnce())

    async def all(self) -> None:
        """Until nothing may be made any more."""
        while await self.once():
            pass

    async def look(self, backfill: Backfill) -> BackfillLook:
        return await InMemoryBackfillReads(self.house.store).backfill(ACME, backfill.id)

    async def state(self, backfill: Backfill) -> tuple[BackfillState, int]:
        found = (await self.look(backfill)).backfill
        return found.state, found.made

    async def runs(self) -> list[Run]:
        return [run for run in await self.house.runs() if run.cause is Cause.BACKFILL]

    async def end(self, *runs: Run) -> None:
        """They get their turn and are carried out."""
        await self.house.dispatch()
        await self.house.succeed(*(runs or [run for run in await self.house.runs() if not run.state.is_final]))


@pytest.fixture
def filling(house: House) -> Backfilling:
    return Backfilling(house)


async def missed(house: House, minutes: int = 60, **definition: Any) -> Schedule:
    """A minutely schedule whose policy ran nothing of the first `minutes`; it is a while later."""
    schedule = a_schedule(policy=MisfirePolicy.SKIP, **definition)
    await house.has(a_job(), schedule)
    house.clock.advance(minutes * MINUTE + HOUR)
    await house.handle(FireSchedules(1))
    return schedule


async def has(house: House) -> Schedule:
    schedule = a_schedule()
    await house.has(a_job(), schedule)
    return schedule


def at(*minutes: float) -> list[datetime]:
    return [NOON + each * MINUTE for each in minutes]


class TestAsking:
    async def test_counts_the_due_times_without_a_run(self, house: House, filling: Backfilling) -> None:
        schedule = await missed(house)

        backfill = await filling.ask(schedule, *at(2, 5))

        assert (backfill.count, backfill.state) == (3, BackfillState.RUNNING)
        assert house.nudge.count == 1

    async def test_makes_nothing_where_it_is_dry(self, house: House, filling: Backfilling) -> None:
        schedule = await missed(house)

        would = await filling.ask(schedule, *at(2, 5), is_dry=True)
        await filling.all()

        assert would.count == 3
        assert await filling.runs() == []
        with pytest.raises(NotFoundError):
            await filling.look(would)

    async def test_is_over_at_once_where_each_has_its_run(self, house: House, filling: Backfilling) -> None:
        schedule = a_schedule()
        await house.has(a_job(), schedule)
        await house.handle(FireSchedules(1))

        house.clock.advance(SECOND)

        backfill = await filling.ask(schedule, NOON, house.clock.now())

        assert (backfill.count, await filling.state(backfill)) == (0, (BackfillState.DONE, 0))

    async def test_decides_first_what_is_due_already(self, house: House, filling: Backfilling) -> None:
        schedule = a_schedule(policy=MisfirePolicy.SKIP)
        await house.has(a_job(), schedule)
        house.clock.advance(10 * MINUTE + SECOND)

        backfill = await filling.ask(schedule, NOON, house.clock.now())

        assert backfill.count == 10
        assert await house.misses(schedule) == [(NOON, NOON + 9 * MINUTE, 10, "SKIP")]
        assert [run.scheduled_for for run in await house.runs()] == at(10)

    async def test_dry_leaves_out_what_is_not_decided(self, house: House, filling: Backfilling) -> None:
        schedule = await missed(house, 60)
        house.clock.advance(HOUR)

        would = await filling.ask(schedule, NOON, house.clock.now(), is_dry=True)

        assert would.count == 120
        assert len(await house.misses(schedule)) == 1

    async def test_leaves_alone_what_will_be_caught_up(self, house: House, filling: Backfilling) -> None:
        schedule = a_schedule(policy=MisfirePolicy.FIRE_ALL)
        await house.has(a_job(), schedule)
        house.clock.advance(HOUR)
        await house.handle(FireSchedules(1))

        backfill = await filling.ask(schedule, NOON, NOON + HOUR)
        await filling.all()
        while await house.handle(CatchUpOnce()):
            pass

        assert backfill.count == 0
        assert len(await house.runs()) == 61

    @pytest.mark.parametrize(("since", "until", "field"), [(5, 2, "to"), (2, 2, "to"), (2, 10_000, "to")])
    async def test_refuses_a_stretch_that_is_none(
        self, house: House, filling: Backfilling, since: int, until: int, field: str
    ) -> None:
        schedule = await missed(house)

        with pytest.raises(InvalidError) as caught:
            await filling.ask(schedule, *at(since, until))

        assert caught.value.faults[0].field == field
        assert house.store.tables.backfills == {}

    async def test_refuses_too_many_due_times(self, house: House, filling: Backfilling) -> None:
        schedule = a_schedule(FixedRate(SECOND, NOON))
        await house.has(a_job(), schedule)
        house.clock.advance(3650 * DAY)

        with pytest.raises(InvalidError, match="from: there are more than 100,000 due times"):
            await filling.ask(schedule, NOON, house.clock.now(), is_dry=True)

    async def test_refuses_what_has_no_due_times(self, house: House, filling: Backfilling) -> None:
        schedule = a_schedule(FixedDelay(MINUTE))
        await house.has(a_job(), schedule)
        house.clock.advance(HOUR)

        with pytest.raises(ConflictError, match="FIXED_DELAY"):
            await filling.ask(schedule, NOON, NOON + MINUTE)

    async def test_refuses_what_retention_has_taken_the_runs_of(self, house: House, filling: Backfilling) -> None:
        schedule = await missed(house)
        house.store.tables.removed_to[ACME, schedule.id] = NOON + 5 * MINUTE

        with pytest.raises(InvalidError, match="from: must be later than 2026-03-02T12:05:00Z"):
            await filling.ask(schedule, *at(5, 8))
        assert (await filling.ask(schedule, *at(6, 8))).count == 2

    async def test_of_another_tenants_schedule_is_of_none(self, house: House, filling: Backfilling) -> None:
        schedule = await missed(house)

        with pytest.raises(NotFoundError):
            await filling.bus.handle(
                BackfillSchedule(tenant_id=GLOBEX, schedule_id=schedule.id, since=NOON, until=NOON + MINUTE)
            )
        with pytest.raises(NotFoundError):
            await filling.ask(a_schedule(schedule_id=ScheduleId(next_id())), NOON, NOON + MINUTE)


class TestItsRuns:
    async def test_are_one_for_each_due_time_without(self, house: House, filling: Backfilling) -> None:
        schedule = await missed(house)

        backfill = await filling.ask(schedule, *at(2, 5))
        await filling.all()

        assert due_times(await filling.runs()) == at(2, 3, 4)
        assert await filling.state(backfill) == (BackfillState.DONE, 3)
        assert await house.misses(schedule) == [(NOON, NOON + 119 * MINUTE, 120, "SKIP")]

    async def test_stand_beside_those_that_were_there(self, house: House, filling: Backfilling) -> None:
        schedule = a_schedule()
        await house.has(a_job(), schedule)
        house.clock.advance(4 * MINUTE)
        await house.handle(FireSchedules(1))  # FIRE_ONCE: all but the last are missed

        await filling.ask(schedule, NOON, house.clock.now())
        house.clock.advance(SECOND)
        await filling.ask(schedule, NOON, house.clock.now())
        await filling.all()

        runs = await house.runs()
        assert due_times(runs) == at(0, 1, 2, 3, 4)
        assert [run.cause for run in runs] == [Cause.BACKFILL] * 4 + [Cause.SCHEDULE]

    async def test_are_none_for_what_was_skipped(self, house: House, filling: Backfilling) -> None:
        schedule = await has(house)
        await house.handle(FireSchedules(1))
        await house.handle(SkipFires(tenant_id=ACME, schedule_id=schedule.id, wanted=2))
        house.clock.advance(5 * MINUTE)
        await house.handle(FireSchedules(1))  # FIRE_ONCE: of 3, 4 and 5 the last

        await filling.ask(schedule, NOON, house.clock.now())
        await filling.all()

        assert due_times(await filling.runs()) == at(3, 4)

    async def test_stay_the_only_ones_where_the_pause_is_made_up_for(self, house: House, filling: Backfilling) -> None:
        schedule = await has(house)
        await house.handle(FireSchedules(1))
        await house.handle(DisableSchedule(tenant_id=ACME, schedule_id=schedule.id, reason=""))
        house.clock.advance(5 * MINUTE + SECOND)
        await filling.ask(schedule, *at(1, 4))
        await filling.all()

        await house.handle(EnableSchedule(tenant_id=ACME, schedule_id=schedule.id, make_up=MakeUp.ALL))
        while await house.handle(CatchUpOnce()):
            pass

        runs = await house.runs()
        assert due_times(runs) == at(0, 1, 2, 3, 4, 5)
        assert [run.cause for run in runs[1:4]] == [Cause.BACKFILL] * 3

    async def test_of_a_disabled_stretch_are_made(self, house: House, filling: Backfilling) -> None:
        schedule = a_schedule()
        await house.has(a_job(), schedule)
        await house.handle(FireSchedules(1))
        await house.handle(DisableSchedule(tenant_id=ACME, schedule_id=schedule.id, reason=""))
        house.clock.advance(5 * MINUTE + SECOND)
        await house.handle(EnableSchedule(tenant_id=ACME, schedule_id=schedule.id, reason=""))

        await filling.ask(schedule, NOON, house.clock.now())
        await filling.all()

        assert due_times(await filling.runs()) == at(1, 2, 3, 4, 5)

    async def test_are_by_the_definition_of_their_time(self, house: House, filling: Backfilling) -> None:
        schedule = await missed(house, 0, payload=Json("1"))  # it is one o'clock
        target = NamedJob("reports.daily", Json("2"))
        await change(house, schedule, trigger=FixedRate(20 * MINUTE, NOON), target=target)
        house.clock.advance(HOUR)
        await house.handle(FireSchedules(1))

        await filling.ask(schedule, *at(57, 115), max_concurrent=100)
        await filling.all()

        made = [((run.scheduled_for - NOON) / MINUTE, run.payload) for run in await filling.runs()]
        assert made == [(57, "1"), (58, "1"), (59, "1"), (80, "2"), (100, "2")]

    async def test_are_none_where_the_job_of_their_time_was_deleted(self, house: House, filling: Backfilling) -> None:
        old = a_job("old")
        schedule = a_schedule(job=old, policy=MisfirePolicy.SKIP)
        await house.has(a_job(), old, schedule)
        house.clock.advance(HOUR)
        await change(house, schedule, target=NamedJob("reports.daily"))
        await _end_all(house)
        await house.handle(DeleteJob(tenant_id=ACME, job_id=old.id))

        backfill = await filling.ask(schedule, *at(1, 4))
        await filling.all()

        look = await filling.look(backfill)
        assert (look.backfill.state, look.backfill.count, look.backfill.made) == (BackfillState.DONE, 3, 0)
        assert look.backfill.reason == "3 got a run elsewhere, or had nobody left to carry them out"

    async def test_are_not_made_twice_by_two_backfills(self, house: House, filling: Backfilling) -> None:
        schedule = await missed(house)

        asked = [await filling.ask(schedule, *at(0, 5), max_concurrent=2) for _ in range(2)]
        for _ in range(10):
            await filling.all()
            await filling.end()

        assert due_times(await filling.runs()) == at(0, 1, 2, 3, 4)
        states = [await filling.state(each) for each in asked]
        assert {state for state, _ in states} == {BackfillState.DONE}
        assert sum(made for _, made in states) == 5

    async def test_undo_nothing_where_the_portion_is_lost(self, house: House, filling: Backfilling) -> None:
        schedule = await missed(house)
        backfill = await filling.ask(schedule, *at(0, 3))

        async def die() -> None:
            raise RuntimeError("killed")

        bus = MessageBus()
        filling._wire(bus, BeforeCommit(house.begin, die))
        with pytest.raises(RuntimeError):
            await bus.handle(BackfillOnce())
        assert (await filling.runs(), await filling.state(backfill)) == ([], (BackfillState.RUNNING, 0))
        await filling.all()

        assert due_times(await filling.runs()) == at(0, 1, 2)

    async def test_are_found_also_behind_many_that_have_theirs(
        self, house: House, filling: Backfilling, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("rota.application.backfill_once.LEAST_LOOK", 4)
        schedule = await missed(house)
        await filling.ask(schedule, *at(0, 20), max_concurrent=100)
        await filling.all()

        backfill = await filling.ask(schedule, *at(0, 22))
        await filling.all()

        assert (backfill.count, await filling.state(backfill)) == (2, (BackfillState.DONE, 2))

    async def test_wait_behind_what_is_due_before_them(self, house: House, filling: Backfilling) -> None:
        schedule = await missed(house)
        await filling.ask(schedule, *at(0, 1))

        await filling.once()

        (run,) = await filling.runs()
        assert (run.state, run.rank, run.due_at) == (RunState.PENDING, house.clock.now(), house.clock.now())


class TestItsPace:
    async def test_keeps_so_many_runs_unfinished(self, house: House, filling: Backfilling) -> None:
        schedule = await missed(house)
        backfill = await filling.ask(schedule, *at(0, 10), max_concurrent=4)

        await filling.all()
        assert due_times(await filling.runs()) == at(0, 1, 2, 3)
        runs = await filling.runs()
        await filling.end(*runs[:3])
        await filling.all()

        look = await filling.look(backfill)
        assert (look.unfinished, look.succeeded, look.backfill.made) == (4, 3, 7)

    async def test_is_told_when_a_run_of_it_ends(self, house: House, filling: Backfilling) -> None:
        schedule = await missed(house)
        await filling.ask(schedule, *at(0, 10), max_concurrent=1)
        await filling.all()
        before = house.nudge.count

        await filling.end(*await filling.runs())

        assert house.nudge.count > before

    async def test_lets_others_go_on_while_it_is_full(self, house: House, filling: Backfilling) -> None:
        schedule = await missed(house)
        first = await filling.ask(schedule, *at(0, 10), max_concurrent=1)
        second = await filling.ask(schedule, *at(20, 30), max_concurrent=2)

        await filling.all()

        assert [await filling.state(each) for each in (first, second)] == [
            (BackfillState.RUNNING, 1),
            (BackfillState.RUNNING, 2),
        ]


@pytest.mark.parametrize("overlap", [each for each in Overlap if each is not Overlap.ALLOW])
class TestWhereRunsMayNotOverlap:
    async def test_it_makes_one_at_a_time(self, house: House, filling: Backfilling, overlap: Overlap) -> None:
        schedule = await missed(house, overlap=overlap)
        await _end_all(house)
        backfill = await filling.ask(schedule, *at(0, 3))

        for made in (1, 2, 3):
            await filling.all()
            assert len(await filling.runs()) == made
            await filling.end()
        await filling.all()

        assert await filling.state(backfill) == (BackfillState.DONE, 3)

    async def test_it_waits_for_the_schedules_other_runs(
        self, house: House, filling: Backfilling, overlap: Overlap
    ) -> None:
        schedule = await missed(house, overlap=overlap)
        await _end_all(house)
        await house.handle(TriggerSchedule(tenant_id=ACME, schedule_id=schedule.id))
        await filling.ask(schedule, *at(0, 3))

        await filling.all()
        assert await filling.runs() == []
        await filling.end()
        await filling.all()

        assert len(await filling.runs()) == 1


class TestItsEnd:
    async def test_comes_when_somebody_asks(self, house: House, filling: Backfilling) -> None:
        schedule = await missed(house)
        backfill = await filling.ask(schedule, *at(0, 10), max_concurrent=2)
        await filling.all()

        await filling.bus.handle(CancelBackfill(tenant_id=ACME, backfill_id=backfill.id, reason="enough"))
        await filling.end()
        await filling.all()

        look = await filling.look(backfill)
        assert (look.backfill.state, look.backfill.reason) == (BackfillState.CANCELLED, "enough")
        assert (look.backfill.made, look.succeeded) == (2, 2)
        with pytest.raises(TransitionError):
            await filling.bus.handle(CancelBackfill(tenant_id=ACME, backfill_id=backfill.id))

    async def test_comes_with_that_of_the_schedule(self, house: House, filling: Backfilling) -> None:
        schedule = await missed(house)
        backfill = await filling.ask(schedule, *at(0, 10), max_concurrent=2)
        await filling.all()

        await house.handle(DeleteSchedule(tenant_id=ACME, schedule_id=schedule.id))
        await filling.all()

        look = await filling.look(backfill)
        assert (look.backfill.state, look.backfill.reason) == (BackfillState.CANCELLED, "the schedule was deleted")

    async def test_of_an_unknown_one_nobody_can_ask(self, filling: Backfilling) -> None:
        with pytest.raises(NotFoundError):
            await filling.bus.handle(CancelBackfill(tenant_id=ACME, backfill_id=BackfillId(next_id())))


async def test_the_bound_is_of_due_times_whether_they_have_runs_or_not(
    house: House, filling: Backfilling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill_schedule, "MOST", 10)
    schedule = await missed(house)

    assert (await filling.ask(schedule, *at(0, 10), is_dry=True)).count == 10
    with pytest.raises(InvalidError, match="more than 10 due times"):
        await filling.ask(schedule, *at(0, 11), is_dry=True)


async def change(house: House, schedule: Schedule, **fields: Any) -> None:
    """It keeps its name, and has the ordinary job and trigger unless told otherwise."""
    said = {
        "trigger": FixedRate(MINUTE, NOON),
        "target": NamedJob("reports.daily"),
        "misfire": schedule.definition.misfire,
    }
    draft = ScheduleDraft(name=schedule.definition.name, tz="UTC", **(said | fields))
    await house.handle(ChangeSchedule(tenant_id=ACME, schedule_id=schedule.id, revise=lambda _: draft))


async def _end_all(house: House) -> None:
    await house.dispatch()
    await house.succeed(*[run for run in await house.runs() if run.is_queued])
