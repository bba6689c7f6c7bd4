"""How full the lanes are: what a process lets go at once is corrected by what others have done there."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from tests.support.builders import ACME, GLOBEX, HOUR, NOON, a_job
from tests.unit.application.house import House, states

from rota.application.create_runs import CreateRuns, RunDraft
from rota.application.dispatch import WINDOW
from rota.application.look_at_lanes import LookAtLanes
from rota.domain.ids import TenantId
from rota.domain.payload import Json
from rota.domain.run import Run
from rota.domain.run_events import RunState

BATCH = 1_000
JOB = "reports.daily"


def drafts(count: int, job: str = JOB, tenant_id: TenantId = ACME) -> CreateRuns:
    return CreateRuns(tenant_id=tenant_id, drafts=[RunDraft(job=job)] * count, batch=True)


async def fill(house: House) -> list[Run]:
    """The whole window of the ordinary job's lane."""
    runs: list[Run] = []
    for _ in range(WINDOW // BATCH):
        runs += [each.run for each in await house.handle(drafts(BATCH))]
    assert {run.state for run in runs} == {RunState.QUEUED}
    return runs


async def one_more(house: House) -> RunState:
    (accepted,) = await house.handle(drafts(1))
    return accepted.run.state


class TestAFullLane:
    @pytest.fixture
    async def runs(self, house: House) -> Sequence[Run]:
        await house.has(a_job())
        return await fill(house)

    async def test_lets_nothing_more_go_at_once(self, house: House, runs: Sequence[Run]) -> None:
        assert await one_more(house) is RunState.PENDING

        await house.handle(LookAtLanes())

        assert await one_more(house) is RunState.PENDING

    async def test_has_room_again_once_it_was_seen_that_runs_were_started(
        self, house: House, runs: Sequence[Run]
    ) -> None:
        await house.start(*runs[:2])
        assert await one_more(house) is RunState.PENDING
        await house.dispatch()
        assert states(await queued(house)) == [RunState.QUEUED] * (WINDOW - 1)

        await house.handle(LookAtLanes())

        assert [await one_more(house), await one_more(house)] == [RunState.QUEUED, RunState.PENDING]

    async def test_is_full_for_another_process_as_soon_as_that_looks(self, house: House, runs: Sequence[Run]) -> None:
        """Until then it may overrun the window by what it lets go itself."""
        other = house.wired()
        (overrun,) = await other.bus.handle(drafts(1))
        assert overrun.run.state is RunState.QUEUED

        await other.bus.handle(LookAtLanes())

        (waits,) = await other.bus.handle(drafts(1))
        assert waits.run.state is RunState.PENDING

    async def test_leaves_the_lanes_of_others_open(self, house: House, runs: Sequence[Run]) -> None:
        await house.has(a_job("reports.weekly"), a_job(tenant_id=GLOBEX))
        await house.handle(LookAtLanes())

        (own,) = await house.handle(drafts(1, "reports.weekly"))
        (theirs,) = await house.handle(drafts(1, tenant_id=GLOBEX))

        assert (own.run.state, theirs.run.state) == (RunState.QUEUED, RunState.QUEUED)


class TestALaneInWhichRunsWait:
    """Nobody overtakes them."""

    @pytest.fixture
    async def waits(self, house: House) -> Run:
        await house.has(a_job())
        house.lanes.up = False
        (accepted,) = await house.handle(drafts(1))
        house.lanes.up = True
        return accepted.run

    async def test_is_closed_once_that_was_seen(self, house: House, waits: Run) -> None:
        assert await one_more(house) is RunState.QUEUED

        await house.handle(LookAtLanes())

        assert await one_more(house) is RunState.PENDING

    async def test_stays_closed_until_nobody_waits_there(self, house: House, waits: Run) -> None:
        await one_more(house)
        await house.handle(LookAtLanes())
        await house.dispatch()
        assert await one_more(house) is RunState.PENDING

        await house.dispatch()
        await house.handle(LookAtLanes())

        assert await one_more(house) is RunState.QUEUED

    async def test_is_not_closed_by_one_that_waits_for_its_time_or_at_a_gate(self, house: House) -> None:
        await house.has(a_job(concurrency_key="/customer"))
        keyed = RunDraft(job=JOB, payload=Json('{"customer": 7}'))
        *_, parked = await house.create(RunDraft(job=JOB, run_at=NOON + HOUR), keyed, keyed)
        await house.dispatch()
        assert (await house.again(parked)).parked_on

        await one_more(house)
        await house.handle(LookAtLanes())

        assert await one_more(house) is RunState.QUEUED


async def test_a_process_that_has_let_nothing_go_asks_nothing(house: House) -> None:
    def forbidden() -> object:
        raise AssertionError("the store was asked")

    idle = house.wired(forbidden)  # type: ignore[arg-type]  # it is not to be called

    await idle.bus.handle(LookAtLanes())


async def queued(house: House) -> list[Run]:
    return [run for run in await house.runs() if run.is_queued]
