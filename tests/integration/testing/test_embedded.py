"""A whole Rota for tests, as those who write them have it: the plugin's fixtures, the client, a worker beside."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from rota import (
    Abort,
    ConflictError,
    InvalidError,
    JobContext,
    NotFoundError,
    RunFailedError,
    StaleVersionError,
    Trigger,
    UnauthenticatedError,
    Worker,
)
from rota.entrypoints.sdk.client import RotaSync
from rota.testing import EmbeddedRota, running

DAILY: Trigger = {"type": "CRON", "cron": "0 9 * * *"}
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)

worker = Worker()


@worker.job("greet")
async def greet(ctx: JobContext, payload: str) -> str:
    ctx.progress(0.5, "breathing in")
    return f"hello {payload}"


@worker.job("give-up")
def give_up(ctx: JobContext) -> None:
    raise Abort("nobody there")


async def test_a_run_is_carried_out_by_a_worker_beside_the_test(rota_tenant: EmbeddedRota) -> None:
    async with rota_tenant.client() as rota, running(worker, rota_tenant):
        asked = await rota.run("greet", "you", labels={"team": "bi"})
        run = await rota.wait_for_run(asked.id, must_succeed=True)
        [known] = [each async for each in rota.iter_workers()]

    assert (run.result, run.payload, run.labels) == ("hello you", "you", {"team": "bi"})
    assert [attempt.outcome for attempt in run.attempts] == ["SUCCEEDED"]
    assert (run.worker_id, set(known.jobs)) == (known.id, {"greet", "give-up"})


async def test_a_run_that_fails_says_so_and_can_be_redriven(rota_tenant: EmbeddedRota) -> None:
    async with rota_tenant.client() as rota, running(worker, rota_tenant):
        asked = await rota.run("give-up")
        with pytest.raises(RunFailedError, match="Abort: nobody there") as failed:
            await rota.wait_for_run(asked.id, must_succeed=True)
        [dead] = [group async for group in rota.iter_dead(job="give-up")]
        again = await rota.retry_run(asked.id)
        events = [event.type async for event in rota.iter_run_events(asked.id)]

    assert (failed.value.run.state, dead.count, again.retry_of) == ("DEAD", 1, asked.id)
    assert events[0] == "scheduler.run.queued"
    assert events[-1] == "scheduler.run.dead"


def test_a_worker_can_run_beside_a_test_without_an_event_loop(rota_tenant: EmbeddedRota) -> None:
    with running(worker, rota_tenant), rota_tenant.client_sync() as rota:
        run = rota.wait_for_run(rota.run("greet", "all").id)
        counted = rota.count_runs()

    assert run.result == "hello all"
    assert counted.states["SUCCEEDED"] == 1


@pytest.fixture
def rota(rota_tenant: EmbeddedRota) -> RotaSync:
    return rota_tenant.client_sync()


def test_schedules_are_kept(rota: RotaSync) -> None:
    with rota:
        rota.create_job("reports.daily", timeoutSec=timedelta(minutes=5), retry={"maxAttempts": 5})
        daily = rota.create_schedule("daily", trigger=DAILY, target={"kind": "JOB", "job": "reports.daily"}, tz="UTC")
        changed = rota.change_schedule(daily.id, if_match=daily.version, misfire={"graceSec": 60})
        with pytest.raises(StaleVersionError):
            rota.delete_schedule(daily.id, if_match=daily.version)
        with pytest.raises(ConflictError):
            rota.create_schedule("daily", trigger=DAILY, target={"kind": "JOB", "job": "reports.daily"})
        skipped = rota.skip_fires(daily.id, count=2)
        disabled = rota.disable_schedule(daily.id, reason="a holiday")
        triggered = rota.trigger_schedule(daily.id, payload={"kind": "full"})
        rota.enable_schedule(daily.id, catchUp="NONE")
        history = [event.type for event in rota.iter_schedule_events(daily.id)]
        rota.delete_schedule(daily.id)

    assert changed.misfire is not None
    assert (changed.version, changed.misfire.grace_sec) == (daily.version + 1, 60.0)
    assert (len(skipped.skipped), disabled.enabled, triggered.cause) == (2, False, "MANUAL")
    assert history == [
        f"scheduler.schedule.{event}" for event in ("created", "updated", "skipped", "disabled", "enabled")
    ]


def test_the_future_and_the_past_can_be_asked_about(rota: RotaSync) -> None:
    with rota:
        rota.create_job("x")
        fires = rota.preview(DAILY, "Europe/Berlin", from_=MONDAY, count=3).fires
        daily = rota.create_schedule("daily", trigger=DAILY, target={"kind": "JOB", "job": "x"}, tz="UTC")
        explained = rota.explain(daily.id, MONDAY)
        next_fires = rota.list_fires(daily.id, count=2).fires
        now = datetime.now(UTC)
        would = rota.would_backfill(daily.id, from_=MONDAY, to=now)
        filling = rota.backfill(daily.id, from_=MONDAY, to=now, maxConcurrent=2)
        found = rota.get_backfill(filling.id)

    assert [fire.at.day for fire in fires] == [5, 6, 7]
    assert explained.items
    assert len(next_fires) == 2
    assert (would.count, filling.count, found.max_concurrent) == (0, 0, 2)  # no due time lies before its creation


def test_calendars_are_kept(rota: RotaSync) -> None:
    with rota:
        german = rota.create_calendar("de", tz="Europe/Berlin", holidays=[{"kind": "COUNTRY", "country": "DE"}])
        would = rota.would_change_calendar(german.id, closures=[{"from": "2026-01-02"}])
        days = rota.list_days(german.id, from_=MONDAY.date() - timedelta(days=4), to=MONDAY.date()).days
        file = rota.export_calendar(german.id, from_="2026-01-01", to="2026-12-31")
        imported = rota.import_days(german.id, file, dryRun=True)
        rota.delete_calendar(german.id, if_match=german.version)

    assert [day.open for day in days] == [False, True, False, False, True]
    assert (len(would.closures), imported.calendar.name) == (1, "de")
    assert imported.taken["closures"][0]["reason"] == "New Year's Day"


def test_all_pages_of_a_list_come(rota: RotaSync) -> None:
    with rota:
        rota.create_job("x")
        rota.run_many([{"job": "x", "payload": n} for n in range(450)])
        payloads = [run.payload for run in rota.iter_runs(job="x")]
        numbered = rota.list_runs(page=2, pageSize=200)

    assert sorted(payloads) == list(range(450))
    assert (len(numbered.items), numbered.total) == (200, 450)


def test_a_call_that_is_made_again_is_the_same_call(rota: RotaSync) -> None:
    with rota:
        rota.create_job("x")
        first, again = (rota.run("x", {"n": 1}, idempotency_key="order-4711") for _ in range(2))
        with pytest.raises(InvalidError):
            rota.run("x", {"n": 2}, idempotency_key="order-4711")

    assert first == again


def test_refusals_name_the_field(rota: RotaSync) -> None:
    with rota, pytest.raises(InvalidError) as refused:
        rota.create_schedule("daily", trigger={"type": "CRON", "cron": "0 9 * *"}, target={"kind": "JOB", "job": "no"})

    assert set(refused.value.fields) == {"trigger.cron"}


async def test_a_tenant_is_alone(rota_server: EmbeddedRota, rota_tenant: EmbeddedRota) -> None:
    async with rota_tenant.client() as here, rota_server.client() as there:
        job = await here.create_job("mine")
        with pytest.raises(NotFoundError):
            await there.get_job(job.id)


async def test_a_worker_that_nobody_believes_is_told_so(rota_tenant: EmbeddedRota) -> None:
    stranger = Worker(token="nobody")
    stranger.job("x")(lambda ctx: None)

    with pytest.raises(UnauthenticatedError):
        await asyncio.wait_for(stranger.run(url=rota_tenant.url, handle_signals=False), 30)
