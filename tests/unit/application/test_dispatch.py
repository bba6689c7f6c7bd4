"""The sender: what it was given reaches the bus, in order, however often the bus refuses it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import pytest
from tests.support.builders import ACME, GLOBEX, HOUR, MINUTE, NOON, SECOND, a_job, a_run, next_id

from rota.application.dispatch import BATCH, WINDOW, LaneCredit, Sender, to_work
from rota.application.ports.bus import WorkItem
from rota.domain.delivery import Delivery, EventReceiver, HttpReceiver
from rota.domain.ids import RunId
from rota.domain.job import Job
from rota.domain.payload import Json
from rota.domain.run import Run
from rota.domain.run_events import RunState
from rota.domain.terms import RateLimit
from rota.infrastructure.memory.bus import InMemoryNudge, InMemoryWorkLanes

DELIVERY = Delivery(receiver=EventReceiver("orders.paid"))


class Lanes(InMemoryWorkLanes):
    """Keeps what it is asked to send. `refuses` is how many of the next windows, and which of their items, fail."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[list[RunId]] = []
        self.refuses: list[set[RunId]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.swallows = False

    async def send(self, items: Sequence[WorkItem]) -> Sequence[WorkItem]:
        self.asked.append([item.run_id for item in items])
        with suppress(*([asyncio.CancelledError] if self.swallows else [])):
            await self.gate.wait()
        refused = self.refuses.pop(0) if self.refuses else set()
        await super().send([item for item in items if item.run_id not in refused])
        return [item for item in items if item.run_id in refused]


@pytest.fixture
async def lanes() -> Lanes:
    return Lanes()


@pytest.fixture
async def deliveries() -> InMemoryNudge:
    return InMemoryNudge()


@pytest.fixture
async def sender(lanes: Lanes, deliveries: InMemoryNudge) -> Sender:
    return Sender(lanes, deliveries)


@asynccontextmanager
async def running(sender: Sender) -> AsyncIterator[None]:
    task = asyncio.create_task(sender.run())
    try:
        async with asyncio.timeout(10):
            yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def sent(sender: Sender) -> None:
    async with running(sender):
        await sender.drained()


def queued(count: int) -> list[Run]:
    return [a_run(RunState.QUEUED) for _ in range(count)]


def ids(runs: Sequence[Run]) -> list[RunId]:
    return [run.id for run in runs]


class TestSending:
    async def test_keeps_the_order(self, sender: Sender, lanes: Lanes) -> None:
        runs = queued(5)

        sender.send(runs[:2])
        sender.send(runs[2:])
        await sent(sender)

        assert lanes.asked == [ids(runs)]

    async def test_goes_in_windows(self, sender: Sender, lanes: Lanes) -> None:
        one = a_run(RunState.QUEUED)

        sender.send([one] * (2 * BATCH + 1))
        await sent(sender)

        assert [len(window) for window in lanes.asked] == [BATCH, BATCH, 1]

    async def test_nothing_is_nothing(self, sender: Sender) -> None:
        sender.send([])

        assert sender.is_idle

    async def test_goes_on_with_what_comes_meanwhile(self, sender: Sender, lanes: Lanes) -> None:
        first, second = queued(2)
        lanes.gate.clear()
        sender.send([first])
        async with running(sender):
            while not lanes.asked:
                await asyncio.sleep(0)
            sender.send([second])
            lanes.gate.set()
            await sender.drained()

        assert lanes.asked == [[first.id], [second.id]]


class TestWhatIsNotAcknowledged:
    async def test_is_sent_again_before_what_stands_behind_it(self, sender: Sender, lanes: Lanes) -> None:
        runs = queued(4)
        lanes.refuses = [{runs[1].id, runs[3].id}]

        sender.send(runs)
        await sent(sender)

        assert lanes.asked == [ids(runs), [runs[1].id, runs[3].id]]

    async def test_goes_before_what_came_meanwhile(self, sender: Sender, lanes: Lanes) -> None:
        first, second = queued(2)
        lanes.refuses = [{first.id}]
        lanes.gate.clear()
        sender.send([first])
        async with running(sender):
            while not lanes.asked:
                await asyncio.sleep(0)
            sender.send([second])
            lanes.gate.set()
            await sender.drained()

        assert lanes.asked == [[first.id], [first.id, second.id]]

    async def test_is_sent_until_it_is(self, sender: Sender, lanes: Lanes) -> None:
        (run,) = queued(1)
        lanes.refuses = [{run.id}, {run.id}]

        sender.send([run])
        await sent(sender)

        assert lanes.asked == [[run.id]] * 3

    async def test_may_be_on_the_bus_all_the_same_and_is_there_once(self, sender: Sender, lanes: Lanes) -> None:
        (run,) = queued(1)
        lanes.acknowledges = False
        await lanes.send([to_work(run)])
        lanes.acknowledges = True

        sender.send([run])
        await sent(sender)

        assert (await lanes.look()).last_seq == 1

    async def test_waits_for_a_bus_that_is_down(self, sender: Sender, lanes: Lanes) -> None:
        (run,) = queued(1)
        lanes.up = False
        sender.send([run])
        async with running(sender):
            while sender.is_flowing:
                await asyncio.sleep(0)
            assert not sender.is_idle
            lanes.up = True
            await sender.drained()

        assert lanes.asked == [[run.id]]

    async def test_is_kept_when_the_sending_is_cancelled_between_two_tries(self, sender: Sender, lanes: Lanes) -> None:
        (run,) = queued(1)
        lanes.refuses = [{run.id}]
        sender.send([run])
        async with running(sender):
            while not lanes.asked or lanes.refuses:
                await asyncio.sleep(0)
            await asyncio.sleep(0)

        await sent(sender)

        assert lanes.asked == [[run.id]] * 2


class TestCancellation:
    async def test_that_somebody_below_swallows_ends_it_all_the_same(self, sender: Sender, lanes: Lanes) -> None:
        """`asyncio.wait_for` of Python 3.11 does so when what it waits for is done at the same moment."""
        lanes.swallows = True
        lanes.gate.clear()
        sender.send(queued(1))
        task = asyncio.create_task(sender.run())
        while not lanes.asked:
            await asyncio.sleep(0)

        task.cancel()

        async with asyncio.timeout(10):
            await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()

    async def test_that_somebody_below_swallowed_lets_nobody_wait_for_a_sender_that_has_ended(
        self, sender: Sender
    ) -> None:
        sender.send(queued(1))

        async def waits_below_and_goes_on() -> None:
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            await sender.drained()

        task = asyncio.create_task(waits_below_and_goes_on())
        await asyncio.sleep(0)

        task.cancel()

        async with asyncio.timeout(10):
            await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()


class TestIdle:
    async def test_is_a_sender_that_was_given_nothing(self, sender: Sender) -> None:
        assert sender.is_idle
        await sender.drained()

    async def test_is_not_one_that_was_given_something_and_has_not_begun(self, sender: Sender) -> None:
        sender.send(queued(1))

        assert not sender.is_idle

    async def test_is_not_one_that_waits_for_an_acknowledgement(self, sender: Sender, lanes: Lanes) -> None:
        lanes.gate.clear()
        sender.send(queued(1))
        async with running(sender):
            while not lanes.asked:
                await asyncio.sleep(0)
            assert not sender.is_idle
            lanes.gate.set()
            await sender.drained()
            assert sender.is_idle

    async def test_comes_back_after_every_load(self, sender: Sender) -> None:
        async with running(sender):
            for _ in range(3):
                sender.send(queued(2))
                assert not sender.is_idle
                await sender.drained()
                assert sender.is_idle


class TestDeliveries:
    """Rota carries them out itself: nothing of them goes to the bus."""

    async def test_only_wake_those_who_carry_them_out(
        self, sender: Sender, lanes: Lanes, deliveries: InMemoryNudge
    ) -> None:
        sender.send([a_run(RunState.QUEUED, delivery=DELIVERY) for _ in range(3)])

        assert deliveries.count == 1
        assert sender.is_idle
        assert lanes.asked == []

    async def test_hold_up_no_work_beside_them(self, sender: Sender, lanes: Lanes, deliveries: InMemoryNudge) -> None:
        delivery, work = a_run(RunState.QUEUED, delivery=DELIVERY), a_run(RunState.QUEUED)

        sender.send([delivery, work])
        await sent(sender)

        assert deliveries.count == 1
        assert lanes.asked == [[work.id]]

    async def test_wake_nobody_where_there_are_none(self, sender: Sender, deliveries: InMemoryNudge) -> None:
        sender.send(queued(1))

        assert deliveries.count == 0


class TestCredit:
    """A run goes at once as long as its lane has room, nobody waits there, and nobody has to count its start."""

    @pytest.fixture
    async def credit(self, sender: Sender) -> LaneCredit:
        return LaneCredit(sender)

    async def test_is_granted_while_the_bus_is_up(self, credit: LaneCredit) -> None:
        assert credit.grant(a_run())

    async def test_is_not_granted_while_it_is_down(self, credit: LaneCredit, lanes: Lanes) -> None:
        lanes.up = False

        assert not credit.grant(a_run())

    async def test_is_not_granted_while_it_refuses(self, credit: LaneCredit, sender: Sender, lanes: Lanes) -> None:
        (run,) = queued(1)
        lanes.refuses = [{run.id}]
        sender.send([run])
        async with running(sender):
            while credit.grant(run):
                await asyncio.sleep(0)
            await sender.drained()

        assert credit.grant(run)

    async def test_ends_with_the_lanes_window(self, credit: LaneCredit) -> None:
        granted = [credit.grant(a_run()) for _ in range(WINDOW + 1)]

        assert granted == [True] * WINDOW + [False]

    async def test_of_one_lane_is_not_that_of_another(self, credit: LaneCredit) -> None:
        for _ in range(WINDOW):
            credit.grant(a_run())

        assert credit.grant(a_run(job=a_job("reports.weekly")))
        assert credit.grant(a_run(job=a_job(tenant_id=GLOBEX)))

    async def test_is_what_a_look_has_found_free(self, credit: LaneCredit) -> None:
        job = a_job()
        lane = (ACME, str(job.id))
        for _ in range(WINDOW):
            credit.grant(a_run(job=job))

        credit.look({lane: WINDOW - 1}, [])

        assert [credit.grant(a_run(job=job)) for _ in range(2)] == [True, False]

    async def test_is_none_in_a_lane_where_others_wait(self, credit: LaneCredit) -> None:
        job = a_job()
        lane = (ACME, str(job.id))

        credit.look({}, [lane])
        assert not credit.grant(a_run(job=job))
        assert credit.in_use == [lane]

        credit.look({}, [])
        assert credit.grant(a_run(job=job))

    @pytest.mark.parametrize(
        "job", [a_job(max_concurrent=1_000), a_job(rate_limit=RateLimit(1_000, SECOND))], ids=["concurrency", "rate"]
    )
    async def test_is_none_for_a_job_with_a_limit(self, credit: LaneCredit, job: Job) -> None:
        assert not credit.grant(a_run(job=job))
        assert credit.in_use == []

    async def test_is_none_for_a_run_with_a_concurrency_key(self, credit: LaneCredit) -> None:
        job = a_job(concurrency_key="/customer")

        assert not credit.grant(a_run(job=job, payload=Json('{"customer": 7}')))
        assert credit.grant(a_run(job=job, payload=Json("{}")))

    async def test_is_none_for_a_delivery_to_a_receiver_that_may_hang(self, credit: LaneCredit) -> None:
        assert not credit.grant(a_run(delivery=Delivery(receiver=HttpReceiver(url="https://hooks.example"))))

    async def test_is_there_for_a_delivery_to_the_bus(self, credit: LaneCredit) -> None:
        assert credit.grant(a_run(delivery=Delivery(receiver=EventReceiver("orders.paid"))))


def test_a_work_message_says_what_a_worker_needs() -> None:
    job = a_job(queue="bulk", timeout=5 * MINUTE, deadline=HOUR)
    run = a_run(RunState.QUEUED, job=job, due_at=NOON, scheduled_for=NOON - HOUR, payload=Json("[1]"))
    run.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    run.correlation_id = str(next_id())
    run.sends = 2

    assert to_work(run) == WorkItem(
        run_id=run.id,
        attempt=1,
        sends=2,
        tenant_id=job.tenant_id,
        job_id=job.id,
        job="reports.daily",
        queue="bulk",
        payload=Json("[1]"),
        scheduled_for=NOON - HOUR,
        due_at=NOON,
        timeout_sec=300.0,
        deadline=NOON + HOUR,
        correlation_id=run.correlation_id,
        traceparent=run.traceparent,
    )
