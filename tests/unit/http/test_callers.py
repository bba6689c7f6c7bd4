"""Who may call what, and for which tenant."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest
from structlog.testing import capture_logs
from tests.unit.http.conftest import Json, Served, a_schedule, errors

RANDOM = "01890a5d-ac96-774b-bcce-b302099a8057"

ENDPOINTS = [
    ("read", "GET", "/schedules"),
    ("read", "GET", "/schedules/{id}"),
    ("read", "GET", "/schedules/{id}/fires"),
    ("read", "GET", "/schedules/{id}/explain"),
    ("read", "GET", "/schedules/{id}/misses"),
    ("read", "GET", "/backfills/{id}"),
    ("read", "POST", "/schedules/preview"),
    ("read", "GET", "/jobs"),
    ("read", "GET", "/jobs/{id}"),
    ("read", "GET", "/calendars"),
    ("read", "GET", "/calendars/{id}"),
    ("read", "GET", "/calendars/{id}/days"),
    ("read", "GET", "/calendars/{id}.ics"),
    ("read", "GET", "/runs"),
    ("read", "GET", "/runs/{id}"),
    ("read", "GET", "/runs/dead"),
    ("read", "GET", "/runs/counts"),
    ("read", "GET", "/redrives/{id}"),
    ("read", "GET", "/reports/rejected"),
    ("read", "GET", "/runs/{id}/events"),
    ("read", "GET", "/schedules/{id}/events"),
    ("read", "GET", "/workers"),
    ("read", "GET", "/workers/{id}"),
    ("read", "GET", "/events"),
    ("read", "GET", "/events/stream"),
    ("read", "GET", "/health"),
    ("read", "GET", "/metrics"),
    ("read", "GET", "/asyncapi.json"),
    ("operate", "POST", "/schedules/{id}/enable"),
    ("operate", "POST", "/schedules/{id}/disable"),
    ("operate", "POST", "/schedules/{id}/skip"),
    ("operate", "POST", "/schedules/{id}/trigger"),
    ("operate", "POST", "/schedules/{id}/backfill"),
    ("operate", "POST", "/backfills/{id}/cancel"),
    ("operate", "POST", "/runs"),
    ("operate", "POST", "/runs/batch"),
    ("operate", "POST", "/runs/{id}/cancel"),
    ("operate", "POST", "/runs/{id}/retry"),
    ("operate", "POST", "/runs/redrive"),
    ("operate", "POST", "/redrives/{id}/cancel"),
    ("operate", "POST", "/workers/register"),
    ("operate", "POST", "/workers/{id}/heartbeat"),
    ("operate", "POST", "/workers/{id}/drain"),
    ("admin", "POST", "/schedules"),
    ("admin", "POST", "/schedules/batch"),
    ("admin", "PATCH", "/schedules/{id}"),
    ("admin", "DELETE", "/schedules/{id}"),
    ("admin", "POST", "/jobs"),
    ("admin", "PATCH", "/jobs/{id}"),
    ("admin", "DELETE", "/jobs/{id}"),
    ("admin", "POST", "/calendars"),
    ("admin", "PATCH", "/calendars/{id}"),
    ("admin", "DELETE", "/calendars/{id}"),
    ("admin", "POST", "/calendars/{id}/import"),
]
ASKED = {"/schedules/{id}/explain": "?at=2026-01-01T00:00:00Z"}
"""Without which a call would be refused for another reason."""

OF_A_TENANT = [
    (scope, method, path) for scope, method, path in ENDPOINTS if path not in ("/health", "/metrics", "/asyncapi.json")
]


@pytest.mark.parametrize(("scope", "method", "path"), ENDPOINTS)
async def test_without_a_token_nothing_is_open(served: Served, scope: str, method: str, path: str) -> None:
    async with served.client(None) as client:
        answer = await client.request(method, path.format(id=RANDOM), content=b"not even JSON")

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json() == {
        "type": "urn:rota:error:unauthenticated",
        "title": "Unauthenticated",
        "status": 401,
        "detail": "a bearer token is needed",
        "instance": f"/api/v1{path.format(id=RANDOM)}",
    }


@pytest.mark.parametrize(("scope", "method", "path"), ENDPOINTS)
async def test_each_call_needs_its_scope_and_admin_includes_the_others(
    served: Served, scope: str, method: str, path: str
) -> None:
    served.services.followers.end()  # a stream that is let in would last
    others = {"read", "operate", "nothing"} - {scope}
    for token, is_let_in in ((",".join(sorted(others)), False), (scope, True), ("admin", True)):
        async with served.client(f"acme:{token}") as client:
            answer = await client.request(method, path.format(id=RANDOM), content=b"")
        assert (answer.status_code not in (401, 403)) == is_let_in, token
        if not is_let_in:
            assert f"scheduler:{scope}" in answer.json()["detail"]


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Basic YWNtZTphZG1pbg==", "acme:admin", "Bearer expired"])
async def test_a_token_that_is_none_is_not_let_in(served: Served, header: str) -> None:
    async with served.client(None, Authorization=header) as client:
        assert (await client.get("/runs")).status_code == 401


@pytest.mark.parametrize(("scope", "method", "path"), OF_A_TENANT)
async def test_a_header_with_another_tenant_is_refused_by_name(
    served: Served, scope: str, method: str, path: str
) -> None:
    async with served.client(**{"X-Tenant-Id": "globex"}) as client:
        answer = await client.request(method, path.format(id=RANDOM), json={})

    assert (answer.status_code, list(errors(answer))) == (403, ["X-Tenant-Id"])


@pytest.mark.parametrize(("scope", "method", "path"), OF_A_TENANT)
async def test_a_parameter_with_another_tenant_is_refused_by_name(
    served: Served, scope: str, method: str, path: str
) -> None:
    async with served.client() as client:
        answer = await client.request(method, path.format(id=RANDOM) + "?tenantId=globex", json={})

    assert (answer.status_code, list(errors(answer))) == (403, ["tenantId"])


OLD = "2020-01-01T00:00:00Z"
BODIES = [
    ("POST", "/schedules", a_schedule(), "tenantId"),
    ("POST", "/schedules/batch", [a_schedule(), a_schedule(name="b")], "1.tenantId"),
    ("POST", "/schedules/preview", {"trigger": {"type": "CRON", "cron": "* * * * *"}, "tz": "UTC"}, "tenantId"),
    ("PATCH", f"/schedules/{RANDOM}", {"description": "x"}, "tenantId"),
    ("POST", f"/schedules/{RANDOM}/enable", {}, "tenantId"),
    ("POST", f"/schedules/{RANDOM}/disable", {}, "tenantId"),
    ("POST", f"/schedules/{RANDOM}/trigger", {}, "tenantId"),
    ("POST", f"/schedules/{RANDOM}/backfill", {"from": OLD, "to": OLD[:-2] + "1Z"}, "tenantId"),
    ("POST", f"/backfills/{RANDOM}/cancel", {}, "tenantId"),
    ("POST", "/jobs", {"name": "x"}, "tenantId"),
    ("PATCH", f"/jobs/{RANDOM}", {}, "tenantId"),
    ("POST", "/calendars", {"name": "x"}, "tenantId"),
    ("PATCH", f"/calendars/{RANDOM}", {}, "tenantId"),
    ("POST", "/runs", {"job": "reports.daily"}, "tenantId"),
    ("POST", "/runs/batch", [{"job": "reports.daily"}, {"job": "reports.daily"}], "1.tenantId"),
    ("POST", f"/runs/{RANDOM}/cancel", {}, "tenantId"),
    ("POST", f"/runs/{RANDOM}/retry", {}, "tenantId"),
    ("POST", "/workers/register", {"jobs": [], "slots": 1}, "tenantId"),
    ("POST", f"/workers/{RANDOM}/heartbeat", {"slots": 1, "running": []}, "tenantId"),
    ("POST", f"/workers/{RANDOM}/drain", {}, "tenantId"),
]


@pytest.mark.parametrize(("method", "path", "body", "field"), BODIES)
async def test_a_body_may_name_the_callers_tenant_and_no_other(
    served: Served, acme: httpx.AsyncClient, job: Json, method: str, path: str, body: Json, field: str
) -> None:
    def of(tenant: str) -> Json:
        said = {"tenantId": tenant}
        return [body[0], body[1] | said] if isinstance(body, list) else body | said

    before = (len(served.store.tables.runs), len(served.store.tables.schedules), len(served.store.tables.jobs))
    foreign = await acme.request(method, path, json=of("globex"))
    after = (len(served.store.tables.runs), len(served.store.tables.schedules), len(served.store.tables.jobs))
    own = await acme.request(method, path, json=of("acme"))

    assert (foreign.status_code, list(errors(foreign))) == (403, [field])
    assert before == after
    assert own.status_code in (200, 201, 202, 404)


async def test_the_callers_own_tenant_may_be_said_everywhere(served: Served, job: Json) -> None:
    async with served.client(**{"X-Tenant-Id": "acme"}) as client:
        answer = await client.get("/jobs?tenantId=acme")

    assert [item["name"] for item in answer.json()["items"]] == ["reports.daily"]


async def test_a_token_of_all_tenants_names_one_by_header(served: Served, job: Json) -> None:
    async with served.client("*:admin", **{"X-Tenant-Id": "acme"}) as client:
        found = await client.get("/jobs")
        elsewhere = await client.get("/jobs?tenantId=globex")
    async with served.client("*:admin", **{"X-Tenant-Id": "globex"}) as client:
        other = await client.get("/jobs")

    assert len(found.json()["items"]) == 1
    assert elsewhere.status_code == 403
    assert other.json()["items"] == []


@pytest.mark.parametrize("named", [None, "", "Acme", "a b", "*", "x" * 64])
async def test_a_token_of_all_tenants_that_names_none_is_unreadable(served: Served, named: str | None) -> None:
    headers = {} if named is None else {"X-Tenant-Id": named}
    async with served.client("*:admin", **headers) as client:
        answer = await client.get("/jobs?tenantId=acme")
        health = await client.get("/health")

    assert (answer.status_code, list(errors(answer))) == (400, ["X-Tenant-Id"])
    assert health.status_code == 200


async def test_what_is_anothers_is_as_unknown_as_what_is_not(
    served: Served, acme: httpx.AsyncClient, globex: httpx.AsyncClient, job: Json
) -> None:
    schedule = (await acme.post("/schedules", json=a_schedule())).json()
    run = (await acme.post("/runs", json={"job": "reports.daily"})).json()
    worker = (await acme.post("/workers/register", json={"jobs": [], "slots": 1})).json()
    calendar = (await acme.post("/calendars", json={"name": "DE-BY"})).json()
    redrive = (await acme.post("/runs/redrive", json={"filter": {}})).json()
    own = {"schedules": schedule["id"], "jobs": job["id"], "runs": run["id"], "workers": worker["workerId"]}
    stretch = {"from": schedule["createdAt"], "to": "2026-01-01T00:00:01Z"}
    served.clock.advance(timedelta(seconds=1))
    backfill = (await acme.post(f"/schedules/{schedule['id']}/backfill", json=stretch)).json()
    own["redrives"], own["backfills"] = redrive["id"], backfill["id"]
    own["calendars"] = calendar["id"]
    state = repr(served.store.tables.events)
    calls = [(method, path) for _, method, path in OF_A_TENANT if "{id}" in path and "heartbeat" not in path]

    for method, path in calls:
        kind, asked = path.split("/")[1], path + ASKED.get(path, "")
        body = {"json": stretch} if path.endswith("/backfill") else {}
        foreign = await globex.request(method, asked.format(id=own[kind]), **body)
        unknown = await globex.request(method, asked.format(id=RANDOM), **body)
        if method == "PATCH":
            foreign = await globex.patch(path.format(id=own[kind]), json={})
            unknown = await globex.patch(path.format(id=RANDOM), json={})
        assert foreign.status_code == unknown.status_code == 404, path
        assert foreign.content == unknown.content.replace(RANDOM.encode(), own[kind].encode())
        assert foreign.headers == unknown.headers

    assert repr(served.store.tables.events) == state


async def test_lists_and_names_of_another_tenant_are_empty(
    acme: httpx.AsyncClient, globex: httpx.AsyncClient, job: Json
) -> None:
    schedule = (await acme.post("/schedules", json=a_schedule())).json()
    await acme.post("/runs", json={"job": "reports.daily", "dedupeKey": "k"})

    for path in ("/schedules", "/jobs", "/calendars", "/runs", "/workers", f"/runs?scheduleId={schedule['id']}"):
        assert (await globex.get(path)).json()["items"] == []
    by_name = await globex.post("/runs", json={"job": "reports.daily", "dedupeKey": "k"})
    assert errors(by_name) == {"job": "there is no job named 'reports.daily'"}


async def test_a_refusal_leaves_one_line_for_the_audit(served: Served) -> None:
    async with served.client("acme:read", **{"X-Tenant-Id": "globex"}) as client:
        with capture_logs() as lines:
            await client.get("/jobs")

    refused = [line for line in lines if line["event"] == "access_refused"]
    assert [(line["status"], line["method"], line["path"]) for line in refused] == [(403, "GET", "/api/v1/jobs")]


async def test_the_callers_trace_and_correlation_go_with_the_run(served: Served, job: Json) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with served.client(**{"X-Correlation-Id": "order 66", "traceparent": trace}) as client:
        answer = await client.post("/runs", json={"job": "reports.daily"})

    assert answer.headers["x-correlation-id"] == "order 66"
    assert (answer.json()["correlationId"], answer.json()["traceparent"]) == ("order 66", trace)


@pytest.mark.parametrize(("name", "value"), [("X-Correlation-Id", "x" * 129), ("traceparent", "00-zz")])
async def test_what_cannot_be_a_trace_is_none(served: Served, job: Json, name: str, value: str) -> None:
    async with served.client(**{name: value}) as client:
        answer = await client.post("/runs", json={"job": "reports.daily"})

    assert answer.status_code == 201
    assert value not in answer.text
    assert "x-correlation-id" not in answer.headers
