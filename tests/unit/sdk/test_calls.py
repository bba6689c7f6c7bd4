"""What the client's calls put on the wire."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from rota import Rota, RotaSync

SCHEDULE = {"id": "s1", "name": "daily", "enabled": True, "trigger": {}, "target": {}, "version": 7}
RUN = {"id": "r1", "state": "QUEUED", "cause": "API"}
CALENDAR = {"id": "c1", "name": "de", "workingDays": [], "version": 1, "affected": []}
ASKED = {"id": "b1", "count": 3, "groups": []}


class Server:
    """Answers everything with what it is given, and keeps what it was asked."""

    def __init__(self, answer: object = None, status: int = 200) -> None:
        self.asked: list[httpx.Request] = []
        self._answer = answer
        self._status = status

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return httpx.Response(self._status, json=self._answer)

    def client(self) -> RotaSync:
        return RotaSync("http://rota.test/", "a-token", transport=httpx.MockTransport(self))

    @property
    def last(self) -> httpx.Request:
        return self.asked[-1]

    def body(self) -> Any:
        return json.loads(self.last.content)


def test_a_call_says_who_asks_and_what_it_sends() -> None:
    server = Server(SCHEDULE, 201)

    with server.client() as rota:
        rota.create_schedule("daily", trigger={"type": "CRON", "cron": "0 9 * * *"}, target={"kind": "JOB", "job": "x"})

    assert (server.last.method, str(server.last.url)) == ("POST", "http://rota.test/api/v1/schedules")
    assert server.last.headers["Authorization"] == "Bearer a-token"
    assert server.last.headers["Content-Type"] == "application/json"
    assert server.body() == {
        "name": "daily", "trigger": {"type": "CRON", "cron": "0 9 * * *"}, "target": {"kind": "JOB", "job": "x"},
    }  # fmt: skip


def test_where_and_as_whom_may_stand_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(RUN)
    monkeypatch.setenv("ROTA_URL", "http://elsewhere.test")
    monkeypatch.setenv("ROTA_TOKEN", "another")

    with RotaSync(tenant="acme", transport=httpx.MockTransport(server)) as rota:
        rota.get_run("r1")

    assert server.last.url.host == "elsewhere.test"
    assert (server.last.headers["Authorization"], server.last.headers["X-Tenant-Id"]) == ("Bearer another", "acme")


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda rota: rota.list_runs(state=["DEAD", "CANCELLED"], job=None, limit=5), "state=DEAD&state=CANCELLED&limit=5"),
        (lambda rota: rota.list_runs(from_=datetime(2026, 1, 2, tzinfo=UTC)), "from=2026-01-02T00%3A00%3A00%2B00%3A00"),
        (lambda rota: rota.list_runs(**{"from": "2026-01-02T00:00:00Z"}), "from=2026-01-02T00%3A00%3A00Z"),
        (lambda rota: rota.list_schedules(enabled=True, label="team:bi"), "enabled=true&label=team%3Abi"),
        (lambda rota: rota.count_runs(job="reports.daily"), "job=reports.daily"),
    ],
)  # fmt: skip
def test_a_filter_may_be_a_list_a_flag_an_instant_or_nothing(call: Callable[[RotaSync], object], said: str) -> None:
    server = Server({"items": [], "states": {}, "complete": True})

    with server.client() as rota:
        call(rota)

    assert server.last.url.query.decode() == said


def test_ids_are_part_of_the_path_whatever_is_in_them() -> None:
    server = Server(RUN)

    with server.client() as rota:
        rota.cancel_run("a/b?c", "too late")

    assert server.last.url.raw_path == b"/api/v1/runs/a%2Fb%3Fc/cancel"
    assert server.body() == {"reason": "too late"}


class Payload(BaseModel):
    day: date


def test_python_values_are_sent_as_the_contract_writes_them() -> None:
    server = Server(RUN)

    with server.client() as rota:
        rota.run("x", Payload(day=date(2026, 1, 2)), runAt=datetime(2026, 1, 2, 9, tzinfo=UTC))

    assert server.body() == {"job": "x", "payload": {"day": "2026-01-02"}, "runAt": "2026-01-02T09:00:00Z"}


def test_a_duration_may_be_a_timedelta() -> None:
    server = Server({"id": "j1", "name": "x", "queue": "default", "version": 1})

    with server.client() as rota:
        rota.create_job("x", timeoutSec=timedelta(minutes=5), retry={"backoff": {"initialSec": timedelta(seconds=1.5)}})

    assert server.body() == {"name": "x", "timeoutSec": 300.0, "retry": {"backoff": {"initialSec": 1.5}}}


def test_a_time_without_an_offset_stays_one() -> None:
    """The server reads it in the schedule's zone; turned into UTC it would be another."""
    server = Server(SCHEDULE)

    with server.client() as rota:
        rota.change_schedule("s1", trigger={"type": "ONE_SHOT", "startAt": datetime(2026, 1, 2, 9)})

    assert server.body() == {"trigger": {"type": "ONE_SHOT", "startAt": "2026-01-02T09:00:00"}}


def test_a_patch_says_none_where_the_default_is_wanted() -> None:
    server = Server(SCHEDULE)

    with server.client() as rota:
        rota.change_schedule("s1", maxRuns=None, enabled=False)

    assert (server.last.method, server.body()) == ("PATCH", {"maxRuns": None, "enabled": False})
    assert "If-Match" not in server.last.headers


@pytest.mark.parametrize(
    "call",
    [
        lambda rota: rota.change_schedule("s1", if_match=7, enabled=False),
        lambda rota: rota.delete_schedule("s1", if_match=7),
        lambda rota: rota.delete_job("j1", if_match=7),
        lambda rota: rota.change_calendar("c1", if_match=7, tz="UTC"),
        lambda rota: rota.delete_calendar("c1", if_match=7),
    ],
)
def test_a_change_may_name_the_version_that_it_changes(call: Callable[[RotaSync], object]) -> None:
    server = Server(SCHEDULE | CALENDAR)

    with server.client() as rota:
        call(rota)

    assert server.last.headers["If-Match"] == '"7"'


@pytest.mark.parametrize(
    ("call", "path", "body"),
    [
        (lambda rota: rota.backfill("s1", from_="a", to="b"), "/schedules/s1/backfill", {"from": "a", "to": "b"}),
        (lambda rota: rota.would_backfill("s1", from_="a"), "/schedules/s1/backfill", {"from": "a", "dryRun": True}),
        (lambda rota: rota.redrive({"job": "x"}, perSec=5), "/runs/redrive", {"filter": {"job": "x"}, "perSec": 5}),
        (lambda rota: rota.would_redrive({}), "/runs/redrive", {"filter": {}, "dryRun": True}),
        (lambda rota: rota.retry_run("r1"), "/runs/r1/retry", {}),
        (lambda rota: rota.retry_run("r1", payload=None), "/runs/r1/retry", {"payload": None}),
    ],
)
def test_an_order_has_what_was_said_and_no_more(
    call: Callable[[RotaSync], object], path: str, body: dict[str, object]
) -> None:
    server = Server(RUN | ASKED)

    with server.client() as rota:
        call(rota)

    assert (server.last.url.path, server.body()) == (f"/api/v1{path}", body)


def test_a_dry_run_of_a_patch_is_a_parameter_and_a_file_goes_as_it_is() -> None:
    server = Server(CALENDAR | {"calendar": CALENDAR, "taken": {}, "leftOut": []})

    with server.client() as rota:
        rota.would_change_calendar("c1", tz="UTC")
        tried = server.last
        rota.import_days("c1", b"BEGIN:VCALENDAR", from_=date(2026, 1, 1), dryRun=False)

    assert (tried.url.query, tried.content) == (b"dryRun=true", b'{"tz":"UTC"}')
    assert (server.last.url.query, server.last.content) == (b"from=2026-01-01&dryRun=false", b"BEGIN:VCALENDAR")
    assert server.last.headers["Content-Type"] == "text/calendar"


def test_each_post_has_an_idempotency_key_of_its_own_unless_it_is_given_one() -> None:
    server = Server(RUN)

    with server.client() as rota:
        rota.run("x")
        rota.run("x")
        rota.run("x", idempotency_key="order-4711")
        rota.get_run("r1")

    fresh, other, given, none = (request.headers.get("Idempotency-Key") for request in server.asked)
    assert len({fresh, other}) == 2
    assert None not in (fresh, other)
    assert (given, none) == ("order-4711", None)


class Pages:
    """A list of five in pages of two."""

    def __init__(self) -> None:
        self.limits: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.limits.append(request.url.params["limit"])
        start = int(request.url.params.get("cursor", "0"))
        items = [RUN | {"id": f"r{n}"} for n in range(start, min(start + 2, 5))]
        return httpx.Response(200, json={"items": items, "nextCursor": str(start + 2) if start < 4 else None})


async def test_all_pages_of_a_list_come_one_after_the_other() -> None:
    pages = Pages()

    async with Rota("http://rota.test", "t", transport=httpx.MockTransport(pages)) as rota:
        ids = [run.id async for run in rota.iter_runs(job="x")]

    assert ids == ["r0", "r1", "r2", "r3", "r4"]
    assert pages.limits == ["200", "200", "200"]


async def test_only_the_first_page_of_the_log_is_asked_for_after_a_place() -> None:
    """The server refuses to be told of two places to begin at."""
    asked: list[dict[str, str]] = []

    def log(request: httpx.Request) -> httpx.Response:
        asked.append(dict(request.url.params))
        cursor = "Mw" if len(asked) == 1 else None
        return httpx.Response(200, json={"items": [], "nextCursor": cursor, "lastSequence": 3})

    async with Rota("http://rota.test", "t", transport=httpx.MockTransport(log)) as rota:
        assert [event async for event in rota.iter_events(after=1, type="scheduler.run.*")] == []

    assert asked == [
        {"after": "1", "type": "scheduler.run.*", "limit": "200"},
        {"type": "scheduler.run.*", "limit": "200", "cursor": "Mw"},
    ]


def test_pages_are_fetched_when_they_are_needed() -> None:
    pages = Pages()

    with RotaSync("http://rota.test", "t", transport=httpx.MockTransport(pages)) as rota:
        first = next(rota.iter_runs())

    assert (first.id, len(pages.limits)) == ("r0", 1)
