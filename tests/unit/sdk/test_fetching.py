"""Pulls: what is asked for, and what an answer changes."""

import json
from time import monotonic
from typing import Any

import pytest
from tests.unit.sdk.conftest import FakeBus, a_message

from rota.entrypoints.sdk.fetching import Fetcher
from rota.entrypoints.sdk.lanes import Lane, Lanes
from rota.entrypoints.sdk.roster import Roster
from rota.entrypoints.sdk.slots import Slots

PULLS = "$JS.API.CONSUMER.MSG.NEXT.ROTA_WORK."


class Desk:
    """A fetcher with one lane."""

    def __init__(self, bus: FakeBus) -> None:
        self.bus = bus
        self.slots = Slots(5)
        self.lane = Lane("greet", "ROTA_WORK", "c1")
        self.fetcher = Fetcher(bus, Lanes([self.lane]), Roster(), self.slots, lambda: None)

    def asked(self) -> list[dict[str, Any]]:
        return [json.loads(data) for data in self.bus.sent_to(PULLS)]

    async def answer(self, status: str, pull: int | None = None) -> None:
        receive = self.bus.listeners[f"{self.bus.inbox}.pull.0.*"]
        await receive(a_message(f"{self.bus.inbox}.pull.0.{pull or self.lane.pull}", Status=status))

    async def deliver(self, run_id: str) -> None:
        data = json.dumps({"runId": run_id, "attempt": 1, "job": "greet"}).encode()
        await self.bus.listeners[f"{self.bus.inbox}.pull.0.*"](a_message("work", data, f"ack.{run_id}"))


@pytest.fixture
async def desk(bus: FakeBus) -> Desk:
    desk = Desk(bus)
    await desk.fetcher.open()
    return desk


async def test_an_idle_lane_parks_one_bounded_pull(desk: Desk) -> None:
    await desk.fetcher.pull()
    await desk.fetcher.pull()

    assert desk.asked() == [{"batch": 1, "expires": 5_000_000_000}]
    assert desk.bus.sent[0][0] == PULLS + "c1"


async def test_a_busy_lane_asks_for_the_room_without_waiting(desk: Desk) -> None:
    await desk.fetcher.pull()
    await desk.deliver("r1")
    await desk.fetcher.pull()

    assert desk.asked()[-1] == {"batch": 4, "no_wait": True}


@pytest.mark.parametrize("status", ["404", "408"])
async def test_an_empty_answer_leads_to_another_parked_pull(desk: Desk, status: str) -> None:
    await desk.fetcher.pull()
    await desk.answer(status)
    await desk.fetcher.pull()

    assert [ask["batch"] for ask in desk.asked()] == [1, 1]


@pytest.mark.parametrize("status", ["503", "409", ""])
async def test_a_refusal_is_not_followed_by_another_pull_at_once(desk: Desk, status: str) -> None:
    await desk.fetcher.pull()
    await desk.answer(status)
    for _ in range(100):
        await desk.fetcher.pull()

    assert len(desk.asked()) == 1


async def test_an_answer_to_an_earlier_pull_changes_nothing(desk: Desk) -> None:
    await desk.fetcher.pull()
    await desk.fetcher.look_after(monotonic() + 10)
    await desk.fetcher.pull()

    await desk.answer("503", pull=1)

    assert desk.lane.due == 1


async def test_a_pull_that_nobody_answers_is_sent_again(desk: Desk) -> None:
    await desk.fetcher.pull()
    await desk.fetcher.look_after(monotonic() + 5.5)
    await desk.fetcher.pull()
    assert len(desk.asked()) == 1

    await desk.fetcher.look_after(monotonic() + 6.1)
    await desk.fetcher.pull()
    assert len(desk.asked()) == 2


async def test_after_a_reconnect_pulls_are_sent_again_at_once(desk: Desk) -> None:
    await desk.fetcher.pull()
    desk.fetcher.reconnected()
    await desk.fetcher.pull()

    assert len(desk.asked()) == 2


async def test_without_a_connection_nothing_is_asked(desk: Desk) -> None:
    desk.bus.is_up = False
    await desk.fetcher.pull()
    desk.bus.is_up = True

    assert desk.lane.due == 0


async def test_a_full_worker_asks_for_nothing(desk: Desk) -> None:
    desk.slots.running = 5
    await desk.fetcher.pull()

    assert desk.asked() == []


async def test_a_worker_with_enough_to_go_on_with_waits_for_a_pull_worth_its_while(desk: Desk) -> None:
    desk.slots.running += 1
    desk.slots.free(0.001)
    desk.lane.sweeps = True
    desk.slots.claimed = 22
    await desk.fetcher.pull()
    assert desk.asked() == []

    desk.slots.claimed = 20
    await desk.fetcher.pull()
    assert desk.asked() == [{"batch": 5, "no_wait": True}]
