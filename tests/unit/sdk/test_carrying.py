"""An attempt's way from its message to its final report, on a bus of the test's own."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import pytest
from tests.unit.sdk.conftest import FakeBus, a_message

from rota import Abort, JobContext
from rota.entrypoints.sdk import fetching, wire
from rota.entrypoints.sdk.carrying import Carrier
from rota.entrypoints.sdk.control import Control
from rota.entrypoints.sdk.fetching import Fetcher
from rota.entrypoints.sdk.jobs import Job
from rota.entrypoints.sdk.lanes import Lane, Lanes
from rota.entrypoints.sdk.reporting import Reports
from rota.entrypoints.sdk.roster import Roster
from rota.entrypoints.sdk.slots import Slots
from rota.entrypoints.sdk.threads import Threads


class Bench:
    """The parts of a session, turned by hand."""

    def __init__(self, bus: FakeBus, capacity: int = 10) -> None:
        self.bus = bus
        self.roster = Roster()
        self.slots = Slots(capacity)
        self.threads = Threads(capacity)
        self.jobs: dict[str, Job] = {}
        self.lane = Lane("greet", "ROTA_WORK", "c1")
        self.asked_to_drain: list[bool] = []
        self.given_up: list[bool] = []
        self.fetcher = Fetcher(bus, Lanes([self.lane]), self.roster, self.slots, self._wake)
        self.reports = Reports(bus, "scheduler.report.acme", lambda entries: self.carrier.stored(entries), self._wake)
        self.carrier = Carrier("w1", self.jobs, bus, self.roster, self.slots, self.threads, self.fetcher, self.reports)
        self.control = Control(
            self.roster,
            self.carrier,
            lambda: self.asked_to_drain.append(True),
            lambda: self.given_up.append(True),
        )
        self._woken = asyncio.Event()
        self._seq = 0

    def _wake(self) -> None:
        self._woken.set()

    def handle(self, handler: Callable[..., Any]) -> None:
        self.jobs["greet"] = Job(name="greet", handler=handler)

    async def open(self) -> None:
        self.slots.freed = self._wake
        await self.reports.open()
        await self.fetcher.open()

    async def deliver(self, run_id: str = "r1", attempt: int = 1, *, reply: str = "", **body: Any) -> None:
        """Has the bus bring a work message."""
        data = json.dumps({"runId": run_id, "attempt": attempt, "job": "greet"} | body).encode()
        await self.deliver_raw(data, reply or f"ack.{run_id}")

    async def deliver_raw(self, data: bytes, reply: str) -> None:
        [receive] = [r for subject, r in self.bus.listeners.items() if ".pull." in subject]
        await receive(a_message("scheduler.work.acme.default.c1", data, reply))

    async def turn(self) -> None:
        await self.carrier.turn()
        await self.reports.flush()

    async def store(self) -> None:
        """Has the bus store the last message of reports."""
        self._seq += 1
        await self.bus.acknowledge(seq=self._seq)

    async def run_up_to_handler(self, *run_ids: str, **body: Any) -> None:
        for run_id in run_ids or ("r1",):
            await self.deliver(run_id, **body)
        await self.turn()
        await self.store()
        await self.turn()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Turns whenever something happens, until it holds."""
        async with asyncio.timeout(10):
            while not holds():
                await self._woken.wait()
                self._woken.clear()
                await self.turn()

    async def next_final(self) -> dict[str, Any]:
        """The next final report, which the bus then stores."""
        seen = len(self.kinds())
        await self.until(lambda: len(self.kinds()) > seen)
        await self.store()
        return self.bus.reported()[-1][-1]

    def kinds(self) -> list[str]:
        return [f"{r['runId']} {r['kind']}" for message in self.bus.reported() for r in message]

    def acked(self, run_id: str = "r1") -> list[bytes]:
        return self.bus.sent_to(f"ack.{run_id}")

    def tell(self, kind: str, run_id: str = "r1", **more: Any) -> None:
        self.control.obey(json.dumps([{"kind": kind, "runId": run_id, "reason": "test"} | more]).encode())

    async def reported(self, kind: str) -> dict[str, Any]:
        """The first report of that kind, once it has gone out."""

        def found() -> list[dict[str, Any]]:
            return [report for message in self.bus.reported() for report in message if report["kind"] == kind]

        await self.until(lambda: bool(found()))
        return found()[0]


@pytest.fixture
async def bench(bus: FakeBus) -> AsyncIterator[Bench]:
    bench = Bench(bus)
    await bench.open()
    yield bench
    bench.carrier.abandon_all()
    bench.threads.close()


async def forever(ctx: JobContext) -> None:
    await asyncio.Event().wait()


# --- the straight way


async def test_a_run_is_announced_then_acknowledged_then_carried_out_then_reported(bench: Bench) -> None:
    carried_out: list[str] = []
    bench.handle(lambda ctx: carried_out.append(ctx.run_id))
    await bench.deliver()
    await bench.turn()

    assert bench.kinds() == ["r1 STARTED"]
    assert (bench.acked(), carried_out) == ([], [])
    assert bench.roster.named() == ["r1"]

    await bench.store()
    await bench.turn()
    assert bench.acked() == [wire.ACK]

    final = await bench.next_final()
    assert (final["kind"], carried_out) == ("SUCCEEDED", ["r1"])
    assert bench.roster.named() == []


async def test_a_set_of_messages_is_announced_in_one_message(bench: Bench) -> None:
    bench.handle(forever)
    for number in range(10):
        await bench.deliver(f"r{number}")

    await bench.turn()

    [message] = bench.bus.reported()
    assert len(message) == 10


async def test_a_run_is_named_until_its_final_report_is_stored(bench: Bench) -> None:
    async def greet(ctx: JobContext) -> None: ...

    bench.handle(greet)
    await bench.run_up_to_handler()
    await bench.until(lambda: "r1 SUCCEEDED" in bench.kinds())
    assert bench.roster.named() == ["r1"]

    await bench.store()

    assert bench.roster.named() == []
    assert bench.slots.running == 0


async def test_no_more_handlers_run_at_once_than_there_are_slots(bench: Bench) -> None:
    bench.handle(forever)
    await bench.run_up_to_handler(*[f"r{n}" for n in range(15)])

    assert bench.slots.running == 10
    assert bench.kinds() == [f"r{n} STARTED" for n in range(10)]
    assert bench.slots.claimed == 5


async def test_an_exception_is_reported_as_a_failure(bench: Bench) -> None:
    async def greet(ctx: JobContext) -> None:
        raise Abort("no")

    bench.handle(greet)
    await bench.run_up_to_handler()

    final = await bench.next_final()
    assert final["kind"] == "FAILED"
    assert final["error"]["retryable"] is False


async def test_a_handler_cancelled_from_within_is_a_failure_to_be_tried_again(bench: Bench) -> None:
    async def greet(ctx: JobContext) -> None:
        raise asyncio.CancelledError

    bench.handle(greet)
    await bench.run_up_to_handler()

    final = await bench.next_final()
    assert (final["error"]["type"], final["error"]["retryable"]) == ("CancelledError", True)


# --- duplicates


async def test_a_message_of_a_running_attempt_is_acknowledged_and_dropped(bench: Bench) -> None:
    bench.handle(forever)
    await bench.run_up_to_handler()

    await bench.deliver(reply="ack.again")
    await bench.turn()

    assert bench.acked("again") == [wire.ACK]
    assert bench.kinds() == ["r1 STARTED"]


async def test_a_message_of_an_attempt_lately_run_is_acknowledged_and_dropped(bench: Bench) -> None:
    bench.handle(lambda ctx: None)
    await bench.run_up_to_handler()
    await bench.next_final()

    await bench.deliver(reply="ack.again")
    await bench.turn()

    assert bench.acked("again") == [wire.ACK]
    assert bench.kinds() == ["r1 STARTED", "r1 SUCCEEDED"]


async def test_a_message_that_comes_again_before_its_started_is_stored_is_acknowledged_when_it_is(bench: Bench) -> None:
    bench.handle(forever)
    await bench.deliver()
    await bench.turn()

    await bench.deliver(reply="ack.again")
    assert bench.acked("again") == []
    await bench.store()
    await bench.turn()

    assert bench.acked("again") == [wire.ACK]
    assert bench.kinds() == ["r1 STARTED"]


async def test_a_higher_attempt_of_a_running_run_starts_beside_it(bench: Bench) -> None:
    bench.handle(forever)
    await bench.run_up_to_handler()

    await bench.deliver("r1", 2)
    await bench.turn()

    assert [report["attempt"] for message in bench.bus.reported() for report in message] == [1, 2]
    assert bench.roster.named() == ["r1"]


async def test_an_unreadable_message_is_terminated_once_and_for_all(bench: Bench) -> None:
    await bench.deliver_raw(b"\x00nonsense", "ack.poison")

    assert bench.bus.sent_to("ack.poison") == [wire.TERM]
    assert len(bench.roster) == 0


# --- out of time


async def test_an_async_handler_out_of_time_is_cancelled_and_failed(bench: Bench) -> None:
    bench.handle(forever)
    await bench.run_up_to_handler(timeoutSec=0.01)

    final = await bench.next_final()

    assert (final["error"]["type"], final["error"]["retryable"]) == ("Timeout", True)
    assert bench.slots.running == 0


async def test_a_deadline_that_comes_before_the_timeout_is_the_limit(bench: Bench) -> None:
    bench.handle(forever)
    soon = datetime.now(UTC) + timedelta(seconds=0.5)

    await bench.run_up_to_handler(timeoutSec=3600, deadline=soon.isoformat())

    assert (await bench.reported("FAILED"))["error"]["type"] == "Timeout"


async def test_a_deadline_that_has_passed_here_is_left_to_the_server(bench: Bench) -> None:
    bench.handle(lambda ctx: "done")

    await bench.run_up_to_handler(timeoutSec=3600, deadline="2020-01-01T00:00:00Z")

    assert (await bench.reported("SUCCEEDED"))["result"] == "done"


async def test_a_thread_out_of_time_is_failed_at_once_and_keeps_its_slot_until_it_ends(bench: Bench) -> None:
    go_on = threading.Event()
    bench.handle(lambda ctx: go_on.wait(10))
    await bench.run_up_to_handler(timeoutSec=0.01)

    final = await bench.next_final()
    assert final["error"]["type"] == "Timeout"
    assert bench.slots.running == 1
    assert bench.roster.named() == []

    go_on.set()
    await bench.until(lambda: bench.slots.running == 0)
    assert bench.kinds() == ["r1 STARTED", "r1 FAILED"]


async def test_a_handler_that_will_not_end_is_answered_for(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rota.entrypoints.sdk.execution.CLEAN_UP", 0.01)
    go_on = asyncio.Event()

    async def stubborn(ctx: JobContext) -> str:
        while not go_on.is_set():
            try:
                await go_on.wait()
            except asyncio.CancelledError:
                assert ctx.cancelled
        return "at last"

    bench.handle(stubborn)
    await bench.run_up_to_handler(timeoutSec=0.01)

    final = await bench.next_final()
    assert final["error"]["type"] == "Timeout"
    assert bench.slots.running == 1

    go_on.set()
    await bench.until(lambda: bench.slots.running == 0)
    assert bench.kinds() == ["r1 STARTED", "r1 FAILED"]


async def test_the_server_can_say_that_time_is_over(bench: Bench) -> None:
    bench.handle(forever)
    await bench.run_up_to_handler()

    bench.tell("TIMEOUT", attempt=1)

    assert (await bench.next_final())["error"]["type"] == "Timeout"


# --- told to stop


async def test_a_cancelled_async_handler_is_reported_cancelled(bench: Bench) -> None:
    seen: list[bool] = []

    async def greet(ctx: JobContext) -> None:
        try:
            await forever(ctx)
        finally:
            seen.append(ctx.cancelled)

    bench.handle(greet)
    await bench.run_up_to_handler()
    await asyncio.sleep(0)  # it begins

    bench.tell("CANCEL")

    await bench.reported("CANCELLED")
    assert seen == [True]


async def test_a_cancel_is_acknowledged_before_the_handler_ends(bench: Bench) -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def tidy(ctx: JobContext) -> None:
        try:
            await forever(ctx)
        finally:
            asked.set()
            await go_on.wait()

    bench.handle(tidy)
    await bench.run_up_to_handler()
    await asyncio.sleep(0)

    bench.tell("CANCEL", attempt=1)
    heard = await bench.reported("PROGRESS")
    assert asked.is_set()
    assert (heard["cancelling"], "progress" in heard) == (True, False)
    assert bench.roster.named() == ["r1"]

    go_on.set()
    await bench.reported("CANCELLED")
    assert bench.kinds() == ["r1 STARTED", "r1 PROGRESS", "r1 CANCELLED"]


async def test_the_acknowledgement_carries_the_progress_that_was_not_sent_yet(bench: Bench) -> None:
    async def greet(ctx: JobContext) -> None:
        ctx.progress(0.5, "half")
        await forever(ctx)

    bench.handle(greet)
    await bench.run_up_to_handler()
    await asyncio.sleep(0)

    bench.tell("CANCEL")

    heard = await bench.reported("PROGRESS")
    assert (heard["cancelling"], heard["progress"]) == (True, {"fraction": 0.5, "note": "half"})


async def test_a_cancel_that_is_repeated_changes_nothing(bench: Bench) -> None:
    interrupted: list[int] = []
    go_on = asyncio.Event()

    async def slow_to_end(ctx: JobContext) -> None:
        try:
            await forever(ctx)
        finally:
            interrupted.append(ctx.attempt)
            await go_on.wait()

    bench.handle(slow_to_end)
    await bench.run_up_to_handler()
    await asyncio.sleep(0)
    bench.tell("CANCEL", attempt=1)
    await bench.reported("PROGRESS")

    for _ in range(3):
        bench.tell("CANCEL", attempt=1)
    go_on.set()
    await bench.reported("CANCELLED")
    bench.tell("CANCEL", attempt=1)
    await bench.turn()

    assert interrupted == [1]
    assert bench.kinds() == ["r1 STARTED", "r1 PROGRESS", "r1 CANCELLED"]


async def test_a_handler_that_was_cancelled_is_no_longer_judged_by_its_time(bench: Bench) -> None:
    """How long it may take to stop is for the server to say."""
    go_on = asyncio.Event()

    async def slow_to_end(ctx: JobContext) -> None:
        try:
            await forever(ctx)
        finally:
            await go_on.wait()

    bench.handle(slow_to_end)
    await bench.run_up_to_handler(timeoutSec=60)
    await asyncio.sleep(0)

    bench.tell("CANCEL")
    bench.tell("TIMEOUT")
    go_on.set()

    await bench.reported("CANCELLED")
    assert "r1 FAILED" not in bench.kinds()


async def test_a_handler_that_finishes_all_the_same_has_succeeded(bench: Bench) -> None:
    async def greet(ctx: JobContext) -> str:
        try:
            await forever(ctx)
        except asyncio.CancelledError:
            return "done"
        return ""

    bench.handle(greet)
    await bench.run_up_to_handler()
    await asyncio.sleep(0)

    bench.tell("CANCEL", attempt=1)

    assert (await bench.reported("SUCCEEDED"))["result"] == "done"


async def test_a_cancelled_thread_looks_for_itself(bench: Bench) -> None:
    begun = threading.Event()

    def greet(ctx: JobContext) -> None:
        begun.set()
        while not ctx.cancelled:
            threading.Event().wait(0.001)
        raise Abort("as asked")

    bench.handle(greet)
    await bench.run_up_to_handler()
    await asyncio.to_thread(begun.wait, 10)

    bench.tell("CANCEL")

    assert (await bench.reported("PROGRESS"))["cancelling"] is True
    await bench.reported("CANCELLED")


async def test_a_run_cancelled_before_its_started_is_stored_is_not_carried_out(bench: Bench) -> None:
    bench.handle(lambda ctx: pytest.fail("carried out"))
    await bench.deliver()
    await bench.turn()

    bench.tell("CANCEL")
    await bench.store()
    await bench.turn()

    await bench.reported("CANCELLED")
    assert bench.kinds() == ["r1 STARTED", "r1 PROGRESS", "r1 CANCELLED"]
    assert bench.acked() == [wire.ACK]
    assert bench.slots.starting == bench.slots.running == 0


async def test_a_run_cancelled_while_it_is_only_claimed_is_not_carried_out(bench: Bench) -> None:
    bench.handle(lambda ctx: pytest.fail("carried out"))
    await bench.deliver()

    bench.tell("CANCEL")
    await bench.turn()
    await bench.store()
    await bench.turn()

    await bench.reported("CANCELLED")
    assert bench.slots.starting == bench.slots.running == 0


async def test_a_run_lost_while_it_is_only_claimed_is_not_even_announced(bench: Bench) -> None:
    bench.handle(lambda ctx: pytest.fail("carried out"))
    await bench.deliver("r1")
    await bench.deliver("r2")

    bench.tell("LOST", "r1", attempt=1)
    await bench.turn()

    assert bench.kinds() == ["r2 STARTED"]
    assert bench.acked("r1") == [wire.ACK]
    assert bench.roster.named() == ["r2"]
    assert (bench.slots.claimed, bench.slots.starting) == (0, 1)


async def test_an_order_for_a_claimed_run_to_stop_otherwise_does_not_concern_it(bench: Bench) -> None:
    bench.handle(forever)
    await bench.deliver()

    bench.tell("TIMEOUT")
    await bench.turn()
    await bench.store()
    await bench.turn()

    assert bench.slots.running == 1


async def test_an_order_for_another_attempt_is_not_for_this_one(bench: Bench) -> None:
    bench.handle(forever)
    await bench.run_up_to_handler()

    bench.tell("CANCEL", attempt=2)
    bench.tell("LOST", attempt=0)
    await asyncio.sleep(0)
    await bench.turn()

    assert bench.roster.named() == ["r1"]
    assert bench.slots.running == 1


@pytest.mark.parametrize("attempt", [{}, {"attempt": 1}, {"attempt": 2}])
async def test_a_lost_run_is_ended_unnamed_and_unreported(bench: Bench, attempt: dict[str, Any]) -> None:
    bench.handle(forever)
    await bench.run_up_to_handler()

    bench.tell("LOST", **attempt)

    assert bench.roster.named() == []
    await bench.until(lambda: bench.slots.running == 0)
    assert bench.kinds() == ["r1 STARTED"]


async def test_a_run_lost_before_its_started_is_stored_is_not_carried_out(bench: Bench) -> None:
    bench.handle(lambda ctx: pytest.fail("carried out"))
    await bench.deliver()
    await bench.turn()

    bench.tell("LOST")
    await bench.store()
    await bench.turn()

    assert bench.roster.named() == []
    assert bench.acked() == [wire.ACK]
    assert bench.slots.starting == bench.slots.running == 0
    assert bench.kinds() == ["r1 STARTED"]


async def test_what_is_lost_while_it_ends_stays_lost(bench: Bench) -> None:
    bench.handle(forever)
    await bench.run_up_to_handler()

    bench.tell("CANCEL")
    bench.tell("LOST")

    await bench.until(lambda: bench.slots.running == 0)
    assert bench.kinds() == ["r1 STARTED"]


async def test_drain_and_register_go_to_the_session(bench: Bench) -> None:
    bench.tell("DRAIN")
    bench.tell("REGISTER")

    assert (bench.asked_to_drain, bench.given_up) == ([True], [True])


@pytest.mark.parametrize("data", [b"", b"[]", b"nonsense", b"7", b'["x", {"kind": "NEW"}, {}, {"kind": ["CANCEL"]}]'])
async def test_orders_that_cannot_be_read_change_nothing(bench: Bench, data: bytes) -> None:
    bench.handle(forever)
    await bench.run_up_to_handler()

    bench.control.obey(data)

    assert bench.roster.named() == ["r1"]


# --- giving back


async def test_a_drain_releases_what_runs_and_says_so(bench: Bench) -> None:
    bench.handle(forever)
    await bench.run_up_to_handler("r1", "r2")

    bench.carrier.release_all()
    await bench.until(lambda: len(bench.kinds()) == 4)

    assert sorted(bench.kinds()[2:]) == ["r1 RELEASED", "r2 RELEASED"]


async def test_a_stopped_fetcher_gives_back_what_is_claimed_and_what_still_comes(bench: Bench) -> None:
    await bench.deliver("r1")

    await bench.fetcher.stop()
    await bench.deliver("r2")

    assert bench.acked("r1") == bench.acked("r2") == [wire.NAK]
    assert bench.slots.claimed == 0
    assert bench.roster.empty.is_set()


async def test_what_was_given_back_may_come_again(bench: Bench) -> None:
    bench.handle(forever)
    await bench.deliver()
    await bench.fetcher.look_after(monotonic() + fetching.PATIENCE)
    assert bench.acked() == [wire.NAK]

    await bench.run_up_to_handler()

    assert bench.slots.running == 1


async def test_a_message_whose_started_is_not_stored_is_kept_from_others(bench: Bench) -> None:
    await bench.deliver()
    await bench.turn()
    now = monotonic()

    for seconds in (0.0, 1.7, 2.0, 3.4):
        await bench.carrier.look_after(now + seconds)

    assert bench.acked() == [wire.IN_PROGRESS, wire.IN_PROGRESS]


async def test_only_as_many_are_announced_as_slots_are_free_however_brief_runs_are(bench: Bench) -> None:
    bench.handle(lambda ctx: None)
    await bench.run_up_to_handler()
    await bench.next_final()  # runs are brief: from now on it claims ahead
    bench.handle(forever)
    for number in range(30):
        await bench.deliver(f"x{number}")
    await bench.turn()

    assert bench.kinds()[2:] == [f"x{number} STARTED" for number in range(10)]
    assert bench.slots.claimed == 20


async def test_an_abandoned_registration_leaves_nothing_but_handlers_that_end(bench: Bench) -> None:
    bench.handle(forever)
    await bench.run_up_to_handler()
    await bench.deliver("r2")

    bench.carrier.abandon_all()

    assert bench.roster.empty.is_set()
    assert bench.slots.claimed == bench.slots.starting == 0
    await bench.until(lambda: bench.slots.running == 0)
    assert bench.kinds() == ["r1 STARTED"]


# --- progress


async def test_of_quick_progress_the_last_is_sent(bench: Bench) -> None:
    async def greet(ctx: JobContext) -> None:
        for step in range(5):
            ctx.progress(step / 4, f"step {step}")
        await forever(ctx)

    bench.handle(greet)
    await bench.run_up_to_handler()

    report = await bench.next_final()

    assert (report["kind"], report["progress"]) == ("PROGRESS", {"fraction": 1.0, "note": "step 4"})
    assert bench.roster.named() == ["r1"]


async def test_progress_comes_from_threads_too(bench: Bench) -> None:
    go_on = threading.Event()

    def greet(ctx: JobContext) -> None:
        ctx.progress(0.5)
        go_on.wait(10)

    bench.handle(greet)
    await bench.run_up_to_handler()

    report = await bench.next_final()
    go_on.set()

    assert report["progress"] == {"fraction": 0.5, "note": None}


async def test_progress_stored_after_the_end_does_not_close_the_run(bench: Bench) -> None:
    go_on = asyncio.Event()

    async def greet(ctx: JobContext) -> None:
        ctx.progress(0.5)
        await go_on.wait()

    bench.handle(greet)
    await bench.run_up_to_handler()
    await bench.until(lambda: "r1 PROGRESS" in bench.kinds())
    go_on.set()
    await bench.until(lambda: "r1 SUCCEEDED" in bench.kinds())

    await bench.bus.acknowledge(1)

    assert bench.roster.named() == ["r1"]
