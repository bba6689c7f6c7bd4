"""A worker carries out runs, on a real bus, with nothing but the rights that it will have."""

import asyncio
import threading
from collections import Counter
from datetime import datetime
from typing import Any

from pydantic import BaseModel
from tests.integration.sdk.conftest import TOKEN, Serve, Stage

from rota import Abort, JobContext, Retry, Worker


class Greeting(BaseModel):
    name: str


def a_worker(stage: Stage, **options: Any) -> Worker:
    return Worker(stage.url, TOKEN, **options)


async def test_a_run_is_carried_out_and_its_result_reported(stage: Stage, serve: Serve) -> None:
    worker = a_worker(stage)
    seen: list[tuple[Any, ...]] = []

    @worker.job("greet")
    async def greet(ctx: JobContext, payload: Greeting) -> dict[str, Any]:
        seen.append((ctx.run_id, ctx.attempt, ctx.idempotency_key, ctx.correlation_id))
        return {"said": f"hello {payload.name}", "due": ctx.due_at}

    await stage.provision("greet")
    await serve(worker)
    run_id = await stage.send("greet", {"name": "Ada"}, attempt=3)

    [done] = await stage.until_reported("SUCCEEDED")
    [started] = await stage.until_reported("STARTED")
    worker_id = stage.front.registers.items[0]["workerId"]
    assert seen == [(run_id, 3, f"key-{run_id}", "corr")]
    assert done["result"] == {"said": "hello Ada", "due": "2026-01-02T03:04:06.500000Z"}
    for report in (started, done):
        assert (report["runId"], report["attempt"], report["workerId"]) == (run_id, 3, worker_id)
        assert datetime.fromisoformat(report["at"])
    await stage.until_settled("greet")


async def test_a_handler_begins_only_when_its_started_is_stored(stage: Stage, serve: Serve) -> None:
    worker = a_worker(stage)

    @worker.job("look")
    async def look(ctx: JobContext) -> int:
        info = await stage.js.stream_info("ROTA_REPORTS")
        return info.state.messages

    await stage.provision("look")
    await serve(worker)
    await stage.send("look")

    [done] = await stage.until_reported("SUCCEEDED")
    assert done["result"] == 1


async def test_plain_functions_run_in_threads_side_by_side(stage: Stage, serve: Serve) -> None:
    worker = a_worker(stage, concurrency=3)
    together = threading.Barrier(3)

    @worker.job("meet")
    def meet(ctx: JobContext, payload: int) -> int:
        together.wait(10)
        return payload * 2

    await stage.provision("meet")
    await serve(worker)
    for number in range(3):
        await stage.send("meet", number)

    done = await stage.until_reported("SUCCEEDED", 3)
    assert sorted(report["result"] for report in done) == [0, 2, 4]


async def test_thousands_of_runs_are_each_carried_out_once_and_reported_once(stage: Stage, serve: Serve) -> None:
    worker = a_worker(stage)
    carried_out: Counter[str] = Counter()

    @worker.job("count")
    async def count(ctx: JobContext) -> None:
        carried_out[ctx.run_id] += 1

    await stage.provision("count")
    sent = await asyncio.gather(*[stage.send("count") for _ in range(2000)])
    await serve(worker)

    done = await stage.until_reported("SUCCEEDED", 2000)
    started = await stage.until_reported("STARTED", 2000)
    assert carried_out == Counter(sent)
    assert Counter(r["runId"] for r in done) == Counter(r["runId"] for r in started) == Counter(sent)
    await stage.until_settled("count")


async def test_a_run_is_announced_before_its_end_in_the_stream(stage: Stage, serve: Serve) -> None:
    worker = a_worker(stage)
    worker.job("noop")(lambda ctx: None)
    await stage.provision("noop")
    await serve(worker)
    sent = [await stage.send("noop") for _ in range(100)]

    await stage.until_reported("SUCCEEDED", 100)

    for run_id in sent:
        assert [r["kind"] for r in stage.reports.items if r["runId"] == run_id] == ["STARTED", "SUCCEEDED"]


async def test_each_way_to_fail_is_told_apart(stage: Stage, serve: Serve) -> None:
    worker = a_worker(stage)

    @worker.job("fail")
    async def fail(ctx: JobContext, payload: Greeting) -> Any:
        match payload.name:
            case "retry":
                raise Retry(after=7, message="busy")
            case "abort":
                raise Abort("never")
            case "large":
                return "x" * 300_000
            case "slow":
                await asyncio.Event().wait()
        raise LookupError("no such name")

    await stage.provision("fail")
    await serve(worker)
    runs = {await stage.send("fail", {"name": n}, timeoutSec=0.3): n for n in ("retry", "abort", "large", "slow", "?")}
    runs[await stage.send("fail", {"name": 7})] = "bad payload"

    failed = await stage.until_reported("FAILED", 6)

    errors = {runs[report["runId"]]: report["error"] for report in failed}
    verdicts = {name: (error["type"], error["retryable"]) for name, error in errors.items()}
    assert verdicts == {
        "retry": ("Retry", True),
        "abort": ("Abort", False),
        "large": ("ResultTooLarge", False),
        "slow": ("Timeout", True),
        "?": ("LookupError", True),
        "bad payload": ("InvalidPayload", False),
    }
    assert errors["retry"]["retryAfterSec"] == 7
    assert "no such name" in errors["?"]["stack"]
    assert errors["bad payload"]["message"].startswith("payload.name: ")


async def test_large_results_do_not_break_the_limit_of_a_message(stage: Stage, serve: Serve) -> None:
    worker = a_worker(stage)
    everybody = asyncio.Barrier(12)

    @worker.job("large")
    async def large(ctx: JobContext) -> str:
        await everybody.wait()
        return "x" * 250_000

    await stage.provision("large")
    await serve(worker)
    for _ in range(12):
        await stage.send("large")

    assert len(await stage.until_reported("SUCCEEDED", 12)) == 12


async def test_progress_reaches_the_stream(stage: Stage, serve: Serve) -> None:
    worker = a_worker(stage)
    go_on = asyncio.Event()

    @worker.job("step")
    async def step(ctx: JobContext) -> None:
        ctx.progress(0.25, "a quarter")
        await go_on.wait()

    await stage.provision("step")
    await serve(worker)
    await stage.send("step")

    [report] = await stage.until_reported("PROGRESS")
    go_on.set()
    assert report["progress"] == {"fraction": 0.25, "note": "a quarter"}


async def test_the_same_message_twice_is_carried_out_once(stage: Stage, serve: Serve) -> None:
    worker = a_worker(stage)
    carried_out: list[tuple[str, int]] = []
    go_on = asyncio.Event()

    @worker.job("once")
    async def once(ctx: JobContext) -> None:
        carried_out.append((ctx.run_id, ctx.attempt))
        await go_on.wait()

    await stage.provision("once")
    await serve(worker)
    run_id = await stage.send("once", run_id="r")
    await stage.until_reported("STARTED")
    await stage.send("once", run_id=run_id)
    await stage.until_settled("once")
    go_on.set()
    await stage.until_reported("SUCCEEDED")
    await stage.send("once", run_id=run_id)
    await stage.send("once", run_id=run_id, attempt=2)

    await stage.until_reported("SUCCEEDED", 2)
    await stage.until_settled("once")
    assert carried_out == [("r", 1), ("r", 2)]


async def test_a_poisoned_message_is_terminated_and_the_rest_goes_on(stage: Stage, serve: Serve) -> None:
    worker = a_worker(stage)
    worker.job("noop")(lambda ctx: None)
    await stage.provision("noop")
    await serve(worker)
    for poison in (b"", b"\xff\x00", b"[" * 50_000, b'{"runId": 1}'):
        await stage.send_raw("noop", poison)
    await stage.send("noop")

    await stage.until_reported("SUCCEEDED")
    await stage.until_settled("noop")


async def test_a_busy_lane_does_not_starve_another(stage: Stage, serve: Serve) -> None:
    worker = a_worker(stage, concurrency=2)
    done: Counter[str] = Counter()

    @worker.job("busy")
    async def busy(ctx: JobContext) -> None:
        await asyncio.sleep(0.03)  # the work itself
        done["busy"] += 1

    @worker.job("rare")
    async def rare(ctx: JobContext) -> int:
        return done["busy"]

    await stage.provision("busy", "rare")
    await asyncio.gather(*[stage.send("busy") for _ in range(300)])
    await serve(worker)
    await stage.until_reported("SUCCEEDED", 4)

    run_id = await stage.send("rare")
    await stage.reports.until(lambda items: any(r["runId"] == run_id and r["kind"] == "SUCCEEDED" for r in items))

    assert done["busy"] < 300


async def test_more_lanes_than_slots_are_all_served(stage: Stage, serve: Serve) -> None:
    worker = a_worker(stage, concurrency=1)
    names = [f"job{number}" for number in range(6)]
    for name in names:
        worker.job(name)(lambda ctx: ctx.job)
    await stage.provision(*names)
    await serve(worker)
    for name in names * 2:
        await stage.send(name)

    done = await stage.until_reported("SUCCEEDED", 12)
    assert Counter(report["result"] for report in done) == Counter(names * 2)


async def test_two_workers_share_a_lane(stage: Stage, serve: Serve) -> None:
    together = asyncio.Barrier(4)
    for _ in range(2):
        worker = a_worker(stage, concurrency=2)

        @worker.job("meet")
        async def meet(ctx: JobContext) -> None:
            await together.wait()

        if not stage.front.registers.items:
            await stage.provision("meet")
        await serve(worker)
        await stage.front.registers.until(lambda items: bool(items))
    for _ in range(4):
        await stage.send("meet")

    done = await stage.until_reported("SUCCEEDED", 4)
    assert len({report["workerId"] for report in done}) == 2


async def test_a_heartbeat_names_what_runs_and_up_to_where_it_was_heard(stage: Stage, serve: Serve) -> None:
    worker = a_worker(stage, concurrency=7)
    go_on = asyncio.Event()

    @worker.job("wait")
    async def wait(ctx: JobContext) -> None:
        await go_on.wait()

    await stage.provision("wait")
    await serve(worker)
    run_id = await stage.send("wait")
    await stage.until_reported("STARTED")

    beat = await stage.beats.next(lambda beat: beat["running"] == [run_id] and beat["reportSeq"]["seq"] == 1)
    assert beat["reportSeq"]["stream"] == await stage.reports_made()
    assert beat["slots"] == 7
    assert beat["draining"] is False
    go_on.set()
    await stage.until_reported("SUCCEEDED")

    await stage.beats.next(lambda beat: beat["running"] == [] and beat["reportSeq"]["seq"] == 2)


async def test_a_heartbeat_that_is_not_answered_comes_again_soon(stage: Stage, serve: Serve) -> None:
    worker = a_worker(stage)
    worker.job("noop")(lambda ctx: None)
    await stage.provision("noop")
    stage.is_deaf = True
    await serve(worker)

    await stage.beats.until(lambda beats: len(beats) >= 2)


async def test_orders_come_in_answers_and_in_between(stage: Stage, serve: Serve) -> None:
    worker = a_worker(stage)

    @worker.job("wait")
    async def wait(ctx: JobContext) -> None:
        await asyncio.Event().wait()

    await stage.provision("wait")
    await serve(worker)
    first, second, third = [await stage.send("wait") for _ in range(3)]
    await stage.until_reported("STARTED", 3)

    stage.orders.append({"kind": "CANCEL", "runId": first, "attempt": 1, "reason": "test"})
    assert [r["runId"] for r in await stage.until_reported("CANCELLED")] == [first]

    worker_id = stage.front.registers.items[0]["workerId"]
    await stage.tell(worker_id, {"kind": "TIMEOUT", "runId": second, "reason": "test"})
    assert [r["runId"] for r in await stage.until_reported("FAILED")] == [second]

    await stage.tell(worker_id, {"kind": "LOST", "runId": third, "attempt": 1, "reason": "test"})
    await stage.beats.next(lambda beat: beat["running"] == [])
    assert [r["kind"] for r in stage.reports.items if r["runId"] == third] == ["STARTED"]
