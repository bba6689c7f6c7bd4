"""A worker stops without losing anything, and without keeping anybody waiting."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.integration.sdk.conftest import PATIENCE, TOKEN, Serve, Stage

from rota import JobContext, Worker

JOBS = """
import asyncio
from rota import JobContext, Worker

worker = Worker(drain_timeout={drain_timeout}, concurrency=2)


@worker.job("wait")
async def wait(ctx: JobContext, payload: float) -> str:
    await asyncio.sleep(payload)
    return "waited"
"""
RUN = "from rota.entrypoints.sdk.runner import run_worker; run_worker('jobs_of_test:worker')"


async def test_what_runs_may_finish_and_nothing_more_is_taken(stage: Stage, serve: Serve) -> None:
    worker = Worker(stage.url, TOKEN, concurrency=2)
    go_on = asyncio.Event()

    @worker.job("wait")
    async def wait(ctx: JobContext) -> str:
        await go_on.wait()
        return "waited"

    await stage.provision("wait")
    serving = asyncio.create_task(worker.run(handle_signals=False))
    first = await stage.send("wait")
    await stage.until_reported("STARTED")

    worker.drain()
    await stage.beats.next(lambda beat: bool(beat["draining"]))
    await stage.send("wait")
    assert stage.front.drains.items == [stage.front.registers.items[0]["workerId"]]
    go_on.set()
    await asyncio.wait_for(serving, PATIENCE)

    assert [r["runId"] for r in await stage.until_reported("SUCCEEDED")] == [first]
    assert stage.beats.items[-1]["draining"] is True
    assert stage.beats.items[-1]["running"] == []
    await stage.take("wait")


async def test_what_does_not_finish_in_time_is_handed_back(stage: Stage) -> None:
    worker = Worker(stage.url, TOKEN, drain_timeout=0.1)

    @worker.job("wait")
    async def wait(ctx: JobContext) -> None:
        await asyncio.Event().wait()

    await stage.provision("wait")
    serving = asyncio.create_task(worker.run(handle_signals=False))
    run_id = await stage.send("wait")
    await stage.until_reported("STARTED")

    worker.drain()
    await asyncio.wait_for(serving, PATIENCE)

    [released] = await stage.until_reported("RELEASED")
    assert (released["runId"], released["attempt"]) == (run_id, 1)


async def test_a_thread_that_does_not_finish_is_handed_back_too(stage: Stage) -> None:
    worker = Worker(stage.url, TOKEN, drain_timeout=0.1)
    loop = asyncio.get_running_loop()
    go_on = asyncio.Event()

    @worker.job("wait")
    def wait(ctx: JobContext) -> None:
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result()

    await stage.provision("wait")
    serving = asyncio.create_task(worker.run(handle_signals=False))
    await stage.send("wait")
    await stage.until_reported("STARTED")

    worker.drain()
    await asyncio.wait_for(serving, PATIENCE)
    go_on.set()

    await stage.until_reported("RELEASED")


async def test_asked_twice_it_does_not_wait(stage: Stage) -> None:
    worker = Worker(stage.url, TOKEN, drain_timeout=1_000)

    @worker.job("wait")
    async def wait(ctx: JobContext) -> None:
        await asyncio.Event().wait()

    await stage.provision("wait")
    serving = asyncio.create_task(worker.run(handle_signals=False))
    await stage.send("wait")
    await stage.until_reported("STARTED")

    worker.drain()
    worker.drain()

    await asyncio.wait_for(serving, PATIENCE)
    await stage.until_reported("RELEASED")


async def test_what_is_claimed_but_not_started_is_given_back_at_once(stage: Stage) -> None:
    worker = Worker(stage.url, TOKEN, concurrency=1)
    go_on = asyncio.Event()

    @worker.job("a")
    async def a(ctx: JobContext) -> None:
        await go_on.wait()

    @worker.job("b")
    async def b(ctx: JobContext) -> None: ...

    await stage.provision("a", "b")
    serving = asyncio.create_task(worker.run(handle_signals=False))
    await stage.send("a")
    await stage.until_reported("STARTED")
    await stage.send("b")  # brought by the pull parked for its lane, though the slot is taken

    worker.drain()
    await stage.beats.next(lambda beat: bool(beat["draining"]))
    go_on.set()
    await asyncio.wait_for(serving, PATIENCE)

    await stage.take("b")
    assert len(await stage.until_reported("STARTED")) == 1


async def test_the_server_can_ask_for_a_drain(stage: Stage) -> None:
    worker = Worker(stage.url, TOKEN)
    worker.job("noop")(lambda ctx: None)
    await stage.provision("noop")
    serving = asyncio.create_task(worker.run(handle_signals=False))

    stage.orders.append({"kind": "DRAIN", "reason": "test"})

    await asyncio.wait_for(serving, PATIENCE)
    assert len(stage.front.drains.items) == 1


async def test_a_worker_can_run_again_after_a_drain(stage: Stage, serve: Serve) -> None:
    worker = Worker(stage.url, TOKEN)
    worker.job("noop")(lambda ctx: None)
    await stage.provision("noop")
    serving = asyncio.create_task(worker.run(handle_signals=False))
    await stage.beats.next(lambda beat: True)
    worker.drain()
    await asyncio.wait_for(serving, PATIENCE)

    await serve(worker)
    await stage.send("noop")

    await stage.until_reported("SUCCEEDED")


async def test_draining_a_worker_without_a_bus_ends_too(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rota.entrypoints.sdk.session.LAST_WORDS", 0.2)
    worker = Worker(stage.url, TOKEN, drain_timeout=0.1)

    @worker.job("wait")
    async def wait(ctx: JobContext) -> None:
        await asyncio.Event().wait()

    await stage.provision("wait")
    serving = asyncio.create_task(worker.run(handle_signals=False))
    await stage.send("wait")
    await stage.until_reported("STARTED")
    stage.bus.kill()

    worker.drain()

    await asyncio.wait_for(serving, PATIENCE)
    stage.bus.start()


async def test_a_cancelled_worker_ends_at_once_and_its_handlers_with_it(stage: Stage) -> None:
    worker = Worker(stage.url, TOKEN)
    ended = asyncio.Event()

    @worker.job("wait")
    async def wait(ctx: JobContext) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    await stage.provision("wait")
    serving = asyncio.create_task(worker.run(handle_signals=False))
    await stage.send("wait")
    await stage.until_reported("STARTED")

    serving.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(serving, PATIENCE)
    await asyncio.wait_for(ended.wait(), PATIENCE)


Process = asyncio.subprocess.Process


@pytest.fixture
async def processes() -> AsyncIterator[list[Process]]:
    running: list[Process] = []
    yield running
    for process in running:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def run_in_process(stage: Stage, folder: Path, drain_timeout: float) -> Process:
    (folder / "jobs_of_test.py").write_text(JOBS.format(drain_timeout=drain_timeout))
    environment = os.environ | {"ROTA_URL": stage.url, "ROTA_TOKEN": TOKEN}
    return await asyncio.create_subprocess_exec(sys.executable, "-c", RUN, cwd=folder, env=environment)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_drains_and_the_process_ends_well(
    stage: Stage, tmp_path: Path, processes: list[Process], number: int
) -> None:
    await stage.provision("wait")
    process = await run_in_process(stage, tmp_path, drain_timeout=30)
    processes.append(process)
    run_id = await stage.send("wait", 0.5)
    await stage.until_reported("STARTED")

    process.send_signal(number)

    assert await asyncio.wait_for(process.wait(), PATIENCE) == 0
    assert [r["runId"] for r in await stage.until_reported("SUCCEEDED")] == [run_id]
    assert len(stage.front.drains.items) == 1


async def test_after_a_kill_the_unstarted_message_goes_to_another_worker(
    stage: Stage, serve: Serve, tmp_path: Path, processes: list[Process]
) -> None:
    await stage.provision("wait")
    process = await run_in_process(stage, tmp_path, drain_timeout=30)
    processes.append(process)
    for _ in range(6):
        await stage.send("wait", 1_000)
    started = {report["runId"] for report in await stage.until_reported("STARTED", 2)}
    process.kill()
    await process.wait()
    worker = Worker(stage.url, TOKEN)

    @worker.job("wait")
    async def wait(ctx: JobContext, payload: float) -> None: ...

    await serve(worker)

    done = {report["runId"] for report in await stage.until_reported("SUCCEEDED", 4)}
    assert done.isdisjoint(started)
