"""A worker's handlers, carried out with no server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from rota import Abort, JobContext, Retry, Worker
from rota.testing import Progress, WorkerTest, WorkerTestSync

NINE = datetime(2026, 1, 2, 9, tzinfo=UTC)

worker = Worker()


class Report(BaseModel):
    day: date
    kind: str = "full"


class Row(BaseModel):
    day: date


@worker.job("report")
async def report(ctx: JobContext, payload: Report) -> dict[str, Any]:
    return {"day": payload.day, "kind": payload.kind, "attempt": ctx.attempt, "for": ctx.scheduled_for}


@worker.job("report.in-a-thread")
def report_in_a_thread(ctx: JobContext, payload: Report) -> Row:
    return Row(day=payload.day)


@worker.job("context")
async def context(ctx: JobContext) -> list[Any]:
    return [
        ctx.run_id,
        ctx.job,
        ctx.tenant_id,
        ctx.idempotency_key,
        ctx.correlation_id,
        ctx.due_at == ctx.scheduled_for,
    ]


@worker.job("fail")
async def fail(ctx: JobContext, payload: str) -> None:
    match payload:
        case "retry":
            raise Retry(after=timedelta(minutes=5), message="the bank is closed")
        case "abort":
            raise Abort("no such customer")
        case "set":
            return object()  # type: ignore[return-value]
    raise KeyError(payload)


@worker.job("halfway", timeout=60)
async def halfway(ctx: JobContext) -> None:
    ctx.progress(0.25)
    ctx.progress(0.5, "half of it")
    await asyncio.Event().wait()


@worker.job("halfway.in-a-thread", timeout=60)
def halfway_in_a_thread(ctx: JobContext) -> str:
    ctx.progress(0.5)
    while not ctx.cancelled:
        time.sleep(0.001)
    return "stopped by itself"


@pytest.fixture
async def bench() -> AsyncIterator[WorkerTest]:
    async with WorkerTest(worker) as bench:
        yield bench


@pytest.mark.parametrize("payload", [{"day": "2026-01-02"}, Report(day=date(2026, 1, 2))])
async def test_the_payload_is_read_by_its_annotation_and_the_result_goes_through_json(
    bench: WorkerTest, payload: object
) -> None:
    outcome = await bench.run("report", payload, attempt=2, scheduled_for=NINE)

    assert outcome.has_succeeded, outcome
    assert outcome.result == {"day": "2026-01-02", "kind": "full", "attempt": 2, "for": "2026-01-02T09:00:00Z"}


@pytest.mark.parametrize("job", ["report", "report.in-a-thread"])
async def test_a_payload_that_does_not_fit_fails_as_in_production(bench: WorkerTest, job: str) -> None:
    outcome = await bench.run(job, {"kind": 7})

    assert outcome.kind == "FAILED"
    assert outcome.error is not None
    assert (outcome.error.type, outcome.error.retryable) == ("InvalidPayload", False)
    assert "payload.day: Field required" in outcome.error.message


async def test_a_handler_in_a_thread_is_one_like_another(bench: WorkerTest) -> None:
    outcome = await bench.run("report.in-a-thread", {"day": "2026-01-02"})

    assert outcome.result == {"day": "2026-01-02"}


async def test_the_context_is_what_the_test_says(bench: WorkerTest) -> None:
    said = await bench.run("context", run_id="r1", idempotency_key="k", correlation_id="c", tenant="acme")
    unsaid = await bench.run("context")

    assert said.result == ["r1", "context", "acme", "k", "c", True]
    assert unsaid.result[3] == unsaid.result[0]


async def test_a_retry_says_when(bench: WorkerTest) -> None:
    outcome = await bench.run("fail", "retry")

    assert outcome.error is not None
    assert (outcome.error.type, outcome.error.retryable, outcome.error.retry_after) == ("Retry", True, 300.0)


async def test_an_abort_is_final(bench: WorkerTest) -> None:
    outcome = await bench.run("fail", "abort")

    assert outcome.error is not None
    assert (outcome.error.message, outcome.error.retryable) == ("no such customer", False)


async def test_any_other_exception_shows_where_it_happened(bench: WorkerTest) -> None:
    outcome = await bench.run("fail", "otherwise")

    assert outcome.error is not None
    assert (outcome.error.type, outcome.error.retryable) == ("KeyError", True)
    assert "test_bench.py" in str(outcome)
    assert "KeyError: 'otherwise'" in str(outcome)


async def test_a_result_that_json_cannot_say_fails_as_in_production(bench: WorkerTest) -> None:
    outcome = await bench.run("fail", "set")

    assert outcome.error is not None
    assert outcome.error.type == "ResultNotSerializable"


async def test_a_time_limit_ends_it_and_what_it_told_is_kept(bench: WorkerTest) -> None:
    outcome = await bench.run("halfway", timeout=0.01)

    assert outcome.error is not None
    assert (outcome.error.type, outcome.error.retryable) == ("Timeout", True)
    assert outcome.progress == (Progress(0.25), Progress(0.5, "half of it"))


async def test_it_can_be_cancelled_when_it_is_somewhere(bench: WorkerTest) -> None:
    trial = bench.start("halfway")
    told = await trial.progressed(0.5)

    trial.cancel()

    assert told == Progress(0.5, "half of it")
    assert (await trial.outcome()).kind == "CANCELLED"


async def test_a_thread_is_cancelled_by_looking(bench: WorkerTest) -> None:
    trial = bench.start("halfway.in-a-thread")
    await trial.progressed()

    trial.cancel()

    assert (await trial.outcome()).result == "stopped by itself"


async def test_a_drain_hands_it_back(bench: WorkerTest) -> None:
    trial = bench.start("halfway")
    await trial.progressed()

    trial.drain()

    assert (await trial.outcome()).kind == "RELEASED"


async def test_progress_that_never_comes_is_not_waited_for(bench: WorkerTest) -> None:
    trial = bench.start("report", {"day": "2026-01-02"})

    with pytest.raises(RuntimeError, match="it has ended, SUCCEEDED, and never told progress 0.5"):
        await trial.progressed(0.5)


async def test_a_job_that_is_not_declared_is_named_with_those_that_are(bench: WorkerTest) -> None:
    with pytest.raises(
        ValueError, match="no job 'reprot' is declared on this worker; there are: context, fail, halfway"
    ):
        await bench.run("reprot")


async def test_what_still_runs_is_interrupted_at_the_end() -> None:
    ended = asyncio.Event()
    other = Worker()

    @other.job("wait")
    async def wait(ctx: JobContext) -> None:
        ctx.progress(0)
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with WorkerTest(other) as bench:
        await bench.start("wait").progressed()

    assert ended.is_set()


def test_tests_without_an_event_loop_have_a_bench_too() -> None:
    with WorkerTestSync(worker) as bench:
        outcome = bench.run("report", {"day": "2026-01-02"}, attempt=3)
        trial = bench.start("halfway.in-a-thread")
        trial.progressed(0.5)
        trial.cancel()
        stopped = trial.outcome()

    assert outcome.result["attempt"] == 3
    assert stopped.result == "stopped by itself"
