"""The bus goes away, comes back, comes back empty; the worker carries on without being started anew."""

import asyncio
from collections import Counter
from typing import Any

from structlog.testing import capture_logs
from tests.integration.sdk.conftest import TOKEN, Serve, Stage, consumer

from rota import JobContext, Worker


class Gate:
    """A worker with one job, `wait`, whose handlers wait until the gate opens."""

    def __init__(self, stage: Stage, **options: Any) -> None:
        self.open = asyncio.Event()
        self.begun: Counter[str] = Counter()
        self.worker = Worker(stage.url, TOKEN, **options)
        self.worker.job("wait")(self._wait)

    async def _wait(self, ctx: JobContext) -> str:
        self.begun[ctx.run_id] += 1
        await self.open.wait()
        return "waited"


async def test_a_result_that_comes_while_the_bus_is_away_is_reported_when_it_is_back(
    stage: Stage, serve: Serve
) -> None:
    gate = Gate(stage)
    await stage.provision("wait")
    await serve(gate.worker)
    run_id = await stage.send("wait")
    await stage.until_reported("STARTED")

    stage.bus.kill()
    gate.open.set()
    stage.bus.start()

    [done] = await stage.until_reported("SUCCEEDED")
    assert (done["runId"], done["result"]) == (run_id, "waited")
    assert gate.begun == {run_id: 1}
    assert len(stage.front.registers.items) == 1


async def test_work_goes_on_after_the_bus_was_killed_and_came_back(stage: Stage, serve: Serve) -> None:
    gate = Gate(stage)
    gate.open.set()
    await stage.provision("wait")
    await serve(gate.worker)
    for _ in range(3):
        stage.bus.kill()
        stage.bus.start()
        await stage.beats.next(lambda beat: True)

    run_id = await stage.send("wait")

    assert [r["runId"] for r in await stage.until_reported("SUCCEEDED")] == [run_id]


async def test_a_heartbeat_names_what_runs_right_after_the_bus_is_back(stage: Stage, serve: Serve) -> None:
    gate = Gate(stage)
    await stage.provision("wait")
    await serve(gate.worker)
    run_id = await stage.send("wait")
    await stage.until_reported("STARTED")

    stage.bus.kill()
    stage.bus.start()

    beat = await stage.beats.next(lambda beat: True)
    assert beat["running"] == [run_id]
    gate.open.set()


async def test_after_the_store_was_wiped_the_worker_serves_the_new_streams(stage: Stage, serve: Serve) -> None:
    gate = Gate(stage)
    await stage.provision("wait")
    await serve(gate.worker)
    old = await stage.send("wait")
    await stage.until_reported("STARTED")
    before = (await stage.beats.next(lambda beat: beat["reportSeq"]["seq"] == 1))["reportSeq"]

    stage.bus.kill()
    stage.bus.wipe()
    stage.bus.start()
    await stage.beats.next(lambda beat: beat["running"] == [old])
    await stage.provision("wait")
    gate.open.set()
    new = await stage.send("wait")

    done = await stage.until_reported("SUCCEEDED", 2)
    assert {report["runId"] for report in done} == {old, new}
    made = await stage.reports_made()
    beat = await stage.beats.next(lambda beat: not beat["running"] and beat["reportSeq"]["stream"] == made)
    assert beat["reportSeq"]["stream"] != before["stream"]
    assert beat["reportSeq"]["seq"] >= 2
    assert len(stage.front.registers.items) == 1


async def test_a_deleted_consumer_is_not_asked_in_a_frenzy_and_served_when_it_is_back(
    stage: Stage, serve: Serve
) -> None:
    gate = Gate(stage)
    gate.open.set()
    await stage.provision("wait")
    await serve(gate.worker)
    await stage.send("wait")
    await stage.until_reported("SUCCEEDED")

    with capture_logs() as logs:
        await stage.js.delete_consumer("ROTA_WORK", consumer("wait"))
        beats = len(stage.beats.items)
        await stage.beats.until(lambda items: len(items) >= beats + 10)  # two seconds of the worker's own time
        await stage.add_consumer("wait")
        await stage.send("wait")
        await stage.until_reported("SUCCEEDED", 2)

    assert 1 <= [entry["event"] for entry in logs].count("pull_refused") <= 10


async def test_nothing_is_carried_out_while_reports_cannot_be_stored(stage: Stage, serve: Serve) -> None:
    gate = Gate(stage)
    gate.open.set()
    await stage.provision("wait")
    await serve(gate.worker)
    await stage.js.delete_stream("ROTA_REPORTS")
    run_id = await stage.send("wait")
    await stage.beats.next(lambda beat: beat["running"] == [run_id])
    await stage.beats.next(lambda beat: True)
    assert gate.begun == {}

    await stage.js.add_stream(name="ROTA_REPORTS", subjects=["scheduler.report.*"])

    [done] = await stage.until_reported("SUCCEEDED")
    assert done["runId"] == run_id
    assert gate.begun == {run_id: 1}
    await stage.until_settled("wait")


async def test_a_run_whose_reports_were_stored_twice_is_reported_once(stage: Stage, serve: Serve) -> None:
    """The bus stores, and is killed before it says so: sent again with the same id, the report is known."""
    gate = Gate(stage)
    gate.open.set()
    await stage.provision("wait")
    await serve(gate.worker)
    for _ in range(20):
        await stage.send("wait")
    stage.bus.kill()
    stage.bus.start()

    done = await stage.until_reported("SUCCEEDED", 20)

    assert Counter(report["runId"] for report in done).most_common(1)[0][1] == 1
    assert max(gate.begun.values()) == 1


async def test_a_worker_that_was_given_up_abandons_its_runs_and_registers_anew(stage: Stage, serve: Serve) -> None:
    gate = Gate(stage)
    await stage.provision("wait")
    await serve(gate.worker)
    first = await stage.send("wait")
    await stage.until_reported("STARTED")
    old = stage.front.registers.items[0]["workerId"]

    stage.orders.append({"kind": "REGISTER", "reason": "test"})
    registers = await stage.front.registers.until(lambda items: len(items) == 2)
    new = registers[1]["workerId"]
    await stage.beats.next(lambda beat: beat["workerId"] == new and beat["running"] == [])
    gate.open.set()
    second = await stage.send("wait")

    [done] = await stage.until_reported("SUCCEEDED")
    assert (done["runId"], done["workerId"]) == (second, new)
    assert [r["kind"] for r in stage.reports.items if r["runId"] == first] == ["STARTED"]
    assert old != new


async def test_a_worker_whose_credentials_are_refused_registers_anew(stage: Stage, serve: Serve) -> None:
    gate = Gate(stage)
    gate.open.set()
    await stage.provision("wait")
    stage.front.password = "wrong"
    await serve(gate.worker)
    await stage.front.registers.until(lambda items: len(items) == 1)

    stage.front.password = "worker"
    await stage.send("wait")

    await stage.until_reported("SUCCEEDED")
    assert len(stage.front.registers.items) >= 2
