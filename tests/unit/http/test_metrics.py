"""/metrics"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from tests.support.builders import ACME, MINUTE, SECOND, a_job, a_run, a_schedule, a_worker
from tests.support.stored import store
from tests.unit.http.conftest import Served

from rota.application.fire_schedules import FireSchedules
from rota.application.ports.health import StoreHealth
from rota.application.ports.log import EventFilter
from rota.application.ports.numbers import QueueDepth, StoreNumbers
from rota.application.tally import MOST_QUEUES, Tally
from rota.domain.errors import UnavailableError
from rota.domain.misfire import MisfirePolicy
from rota.domain.run_events import RunState
from rota.entrypoints.http.app import create_metrics_app
from rota.entrypoints.metrics.exposition import KEPT, Metrics
from rota.entrypoints.metrics.readings import BusUse, PoolUse, Readings
from rota.infrastructure.memory.clock import DAWN
from rota.infrastructure.memory.store import InMemoryBegin

FAMILIES = {
    *("rota_lateness_seconds", "rota_fires", "rota_misses", "rota_runs", "rota_runs_created", "rota_runs_finished"),
    *("rota_queue_depth", "rota_queue_oldest_wait_seconds", "rota_queue_wait_seconds"),
    *("rota_worker_slots", "rota_worker_slots_used", "rota_workers", "rota_lonely_jobs"),
    *("rota_relay_lag_events", "rota_relay_lag_seconds", "rota_leader", "rota_leader_epoch", "rota_leads"),
    *("rota_event_loop_lag_seconds", "rota_pool_connections", "rota_pool_connections_used", "rota_pool_waits"),
    *("rota_http_request_duration_seconds", "rota_bus_publish_failures", "rota_build_info", "rota_store_up"),
    *("process_cpu_seconds", "process_resident_memory_bytes"),
}


class Scraped:
    """Values by name and labels."""

    def __init__(self, text: str) -> None:
        self.families: dict[str, Metric] = {family.name: family for family in text_string_to_metric_families(text)}
        self._values = {
            (sample.name, *sorted(sample.labels.items())): sample.value
            for family in self.families.values()
            for sample in family.samples
        }

    def __call__(self, name: str, **labels: str) -> float:
        return self._values[(name, *sorted(labels.items()))]

    def has(self, name: str, **labels: str) -> bool:
        return (name, *sorted(labels.items())) in self._values


async def scrape(client: httpx.AsyncClient) -> Scraped:
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return Scraped(answer.text)


class TestTheService:
    """As the store knows it, whichever process is asked."""

    async def test_every_family_is_there_and_says_what_it_means(self, acme: httpx.AsyncClient) -> None:
        found = await scrape(acme)

        assert found.families.keys() >= FAMILIES
        assert all(family.documentation for family in found.families.values())

    async def test_what_waits(self, served: Served, acme: httpx.AsyncClient) -> None:
        job = a_job(queue="mail")
        await store(InMemoryBegin(served.store), job, a_run(RunState.QUEUED, job=job), a_run(RunState.RUNNING, job=job))

        found = await scrape(acme)

        assert (found("rota_runs", state="QUEUED"), found("rota_runs", state="RETRYING")) == (1, 0)
        assert (found("rota_queue_depth", queue="mail"), found("rota_lonely_jobs")) == (1, 1)
        assert found("rota_queue_oldest_wait_seconds", queue="mail") >= 0
        assert (found("rota_leader"), found("rota_leader_epoch"), found("rota_relay_lag_events")) == (0, 0, 1)

    async def test_who_works(self, served: Served, acme: httpx.AsyncClient) -> None:
        await store(InMemoryBegin(served.store), a_worker(slots=5))

        found = await scrape(acme)

        assert (found("rota_workers", state="ONLINE"), found("rota_workers", state="OFFLINE")) == (1, 0)
        assert (found("rota_worker_slots"), found("rota_worker_slots_used")) == (5, 0)


class TestTheProcess:
    async def test_its_fires_and_misses(self, served: Served, acme: httpx.AsyncClient) -> None:
        job = a_job()
        schedule = a_schedule(job=job, now=DAWN, policy=MisfirePolicy.SKIP, grace=MINUTE)
        await store(InMemoryBegin(served.store), job, schedule)
        assert schedule.next is not None
        served.clock.set(schedule.next.due_at + 2 * MINUTE + SECOND)

        await served.services.bus.handle(FireSchedules(epoch=1))

        found = await scrape(acme)
        assert (found("rota_fires_total"), found("rota_misses_total", rule="SKIP")) == (1, 2)
        assert found("rota_lateness_seconds_bucket", le="0.5") == 0
        assert found("rota_lateness_seconds_bucket", le="1.0") == found("rota_lateness_seconds_count") == 1
        assert found("rota_runs_created_total", cause="SCHEDULE") == 1

    async def test_its_runs_that_ended(self, acme: httpx.AsyncClient, job: dict[str, str]) -> None:
        run = (await acme.post("/runs", json={"job": job["name"]})).json()
        await acme.post(f"/runs/{run['id']}/cancel", json={})

        found = await scrape(acme)

        assert found("rota_runs_finished_total", state="CANCELLED") == 1
        assert found("rota_events_total", type="run.cancelled") == 1

    async def test_its_calls_by_route_and_not_by_path(self, served: Served, job: dict[str, str]) -> None:
        async with served.client() as acme, served.client(base="") as elsewhere:
            await acme.get(f"/jobs/{job['id']}")
            await elsewhere.get(f"/jobs/{job['id']}")
            await acme.get("/no/such/path")
            await acme.request("BREW", "/jobs")

            found = await scrape(acme)

        calls = "rota_http_request_duration_seconds_count"
        assert found(calls, method="GET", route="/jobs/{job_id}", status="2xx") == 2
        assert found(calls, method="GET", route="unmatched", status="4xx") == 1
        assert {sample.labels["method"] for sample in found.families[calls.removesuffix("_count")].samples} == {
            "GET",
            "POST",
            "other",
        }

    async def test_its_streams(self, served: Served, acme: httpx.AsyncClient) -> None:
        before = (await scrape(acme))("rota_event_followers")
        with served.services.followers.joined(ACME, EventFilter(), 0):
            assert (before, (await scrape(acme))("rota_event_followers")) == (0, 1)


@dataclass
class Standing:
    """A process that tells what a test has it tell."""

    is_away: bool = False
    asked: int = 0
    now: float = 0.0
    numbers: StoreNumbers = field(default_factory=StoreNumbers)
    own: Readings = field(default_factory=Readings)
    tally: Tally = field(default_factory=Tally)

    async def health(self) -> StoreHealth:
        self.asked += 1
        if self.is_away:
            raise UnavailableError("the database does not answer")
        return StoreHealth(has_leader=True, leader="a", has_relay=True, relay_lag=0, workers=0, lonely_jobs=0)

    async def ask(self) -> StoreNumbers:
        return self.numbers

    def metrics(self) -> Metrics:
        return Metrics(self.tally, self.own, self.health, self.ask, now=lambda: self.now)

    async def scrape(self) -> Scraped:
        return Scraped((await self.metrics().text()).decode())


class TestTheExposition:
    async def test_without_the_database_it_tells_what_it_knows_and_that_it_is_away(self) -> None:
        standing = Standing(is_away=True)
        standing.tally.fires = 3

        found = await standing.scrape()

        assert (found("rota_store_up"), found("rota_fires_total")) == (0, 3)
        assert not found.has("rota_leader")

    async def test_the_store_is_asked_once_in_a_while_however_many_scrape(self) -> None:
        standing = Standing()
        metrics = standing.metrics()

        for _ in range(3):
            await metrics.text()
        standing.now += KEPT
        await metrics.text()

        assert standing.asked == 2

    async def test_what_a_process_has(self) -> None:
        own = Readings(
            pools=lambda: [PoolUse("callers", 8, 3, 2, 0.5)],
            bus=lambda: BusUse(is_up=True, losses=1, failures={("work", "UNKNOWN"): 4}),
            leads=lambda: {"leader": True, "relay": False},
            roles=frozenset({"leader", "api"}),
            version="1.2.3",
        )

        found = await Standing(own=own).scrape()

        assert (
            found("rota_pool_connections", pool="callers"),
            found("rota_pool_connections_used", pool="callers"),
        ) == (8, 3)
        assert (
            found("rota_pool_waits_total", pool="callers"),
            found("rota_pool_wait_seconds_total", pool="callers"),
        ) == (2, 0.5)
        assert found("rota_bus_publish_failures_total", publisher="work", outcome="UNKNOWN") == 4
        assert (found("rota_bus_up"), found("rota_bus_losses_total")) == (1, 1)
        assert (found("rota_leads", lease="leader"), found("rota_leads", lease="relay")) == (1, 0)
        assert found.families["rota_build_info"].samples[0].labels["roles"] == "api,leader"

    async def test_queues_beyond_the_hundred_deepest_are_one(self) -> None:
        queues = [QueueDepth(f"queue-{number}", number + 1, number * SECOND) for number in range(MOST_QUEUES + 2)]

        found = await Standing(numbers=StoreNumbers(queues=queues)).scrape()

        assert len(found.families["rota_queue_depth"].samples) == MOST_QUEUES + 1
        assert found("rota_queue_depth", queue="_other") == 1 + 2
        assert found("rota_queue_oldest_wait_seconds", queue="_other") == 1

    async def test_the_loops_lag_is_told(self) -> None:
        standing = Standing()
        standing.tally.loop_lag.observe(0.03)

        assert (await standing.scrape())("rota_event_loop_lag_seconds_bucket", le="0.05") == 1


class TestAProcessWithoutTheApi:
    @pytest.fixture
    def client(self, served: Served) -> Callable[..., httpx.AsyncClient]:
        served.app = create_metrics_app(served.services)
        return served.client

    async def test_answers_for_metrics_and_health_alone(self, client: Callable[..., httpx.AsyncClient]) -> None:
        async with client(base="") as own:
            assert (await scrape(own))("rota_store_up") == 1
            assert (await own.get("/ready")).status_code == 200
            assert (await own.get("/jobs")).status_code == 404

    async def test_asks_for_a_token_as_the_api_does(self, client: Callable[..., httpx.AsyncClient]) -> None:
        async with client(None, base="") as nobody:
            assert (await nobody.get("/metrics")).status_code == 401
