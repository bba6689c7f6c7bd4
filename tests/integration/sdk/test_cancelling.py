"""A cancel reaches the handler in under a second, on a real bus, and what follows is told.

It comes on the worker's control subject, at once and at most once; the answer to each heartbeat repeats it.
"""

import asyncio
import threading

import pytest
from tests.integration.sdk.conftest import PATIENCE, TOKEN, Serve, Stage

from rota import JobContext, Worker

AT_ONCE = 1.0
"""Seconds from the order to the handler. On a machine at rest it is a few milliseconds."""


async def order_to_cancel(stage: Stage, run_id: str, *, by_heartbeat: bool) -> None:
    order = {"kind": "CANCEL", "runId": run_id, "attempt": 1, "reason": "test"}
    if by_heartbeat:
        stage.orders.append(order)
    else:
        await stage.tell(stage.front.registers.items[0]["workerId"], order)


def kinds(stage: Stage, run_id: str) -> list[str]:
    return [report["kind"] for report in stage.reports.items if report["runId"] == run_id]


@pytest.mark.parametrize("by_heartbeat", [False, True])
async def test_an_async_handler_is_interrupted_and_both_is_told(
    stage: Stage, serve: Serve, *, by_heartbeat: bool
) -> None:
    worker = Worker(stage.url, TOKEN)
    begun, interrupted, go_on = asyncio.Event(), asyncio.Event(), asyncio.Event()

    @worker.job("wait")
    async def wait(ctx: JobContext) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            assert ctx.cancelled
            interrupted.set()
            await go_on.wait()

    await stage.provision("wait")
    await serve(worker)
    run_id = await stage.send("wait")
    await begun.wait()

    await order_to_cancel(stage, run_id, by_heartbeat=by_heartbeat)
    async with asyncio.timeout(PATIENCE if by_heartbeat else AT_ONCE):
        await interrupted.wait()
    [heard] = await stage.until_reported("PROGRESS")
    assert heard["cancelling"] is True
    go_on.set()

    await stage.until_reported("CANCELLED")
    assert kinds(stage, run_id) == ["STARTED", "PROGRESS", "CANCELLED"]
    await stage.until_settled("wait")


async def test_a_handler_in_a_thread_sees_it(stage: Stage, serve: Serve) -> None:
    worker = Worker(stage.url, TOKEN)
    begun, seen = threading.Event(), threading.Event()

    @worker.job("grind")
    def grind(ctx: JobContext) -> None:
        begun.set()
        while not ctx.cancelled:
            threading.Event().wait(0.001)  # the work itself
        seen.set()
        raise RuntimeError("stopped half-way")

    await stage.provision("grind")
    await serve(worker)
    run_id = await stage.send("grind")
    await asyncio.to_thread(begun.wait, 10)

    await order_to_cancel(stage, run_id, by_heartbeat=False)
    assert await asyncio.to_thread(seen.wait, AT_ONCE)

    await stage.until_reported("CANCELLED")
    assert kinds(stage, run_id) == ["STARTED", "PROGRESS", "CANCELLED"]


async def test_what_was_done_all_the_same_is_a_success(stage: Stage, serve: Serve) -> None:
    worker = Worker(stage.url, TOKEN)
    begun = asyncio.Event()

    @worker.job("finish")
    async def finish(ctx: JobContext) -> str:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "done already"
        return ""

    await stage.provision("finish")
    await serve(worker)
    run_id = await stage.send("finish")
    await begun.wait()

    await order_to_cancel(stage, run_id, by_heartbeat=False)

    [done] = await stage.until_reported("SUCCEEDED")
    assert done["result"] == "done already"
    assert kinds(stage, run_id) == ["STARTED", "PROGRESS", "SUCCEEDED"]


async def test_an_order_that_every_heartbeat_repeats_is_told_of_once(stage: Stage, serve: Serve) -> None:
    worker = Worker(stage.url, TOKEN)
    begun, go_on = asyncio.Event(), asyncio.Event()
    times: list[int] = []

    @worker.job("slow")
    async def slow(ctx: JobContext) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            times.append(1)
            await go_on.wait()

    await stage.provision("slow")
    await serve(worker)
    run_id = await stage.send("slow")
    await begun.wait()

    for _ in range(3):
        await order_to_cancel(stage, run_id, by_heartbeat=True)
        await stage.beats.next(lambda beat: beat["running"] == [run_id])
    go_on.set()

    await stage.until_reported("CANCELLED")
    assert times == [1]
    assert kinds(stage, run_id) == ["STARTED", "PROGRESS", "CANCELLED"]
