"""Lists by cursor and by page."""

from __future__ import annotations

import httpx
import pytest
from tests.unit.http.conftest import Json, a_schedule, errors


@pytest.fixture
async def five(acme: httpx.AsyncClient, job: Json) -> list[str]:
    """Five schedules and five runs; the names of the schedules, newest first."""
    for n in range(5):
        await acme.post("/schedules", json=a_schedule(name=f"s{n}", labels={"parity": str(n % 2)}, enabled=n != 4))
        await acme.post("/runs", json={"job": "reports.daily", "payload": n})
    return ["s4", "s3", "s2", "s1", "s0"]


async def test_a_cursor_leads_through_all_of_them(acme: httpx.AsyncClient, five: list[str]) -> None:
    seen: list[str] = []
    query: dict[str, Json] = {"limit": 2}
    while True:
        page = (await acme.get("/schedules", params=query)).json()
        assert set(page) == {"items", "nextCursor"}
        seen += [item["name"] for item in page["items"]]
        if page["nextCursor"] is None:
            break
        query["cursor"] = page["nextCursor"]

    assert seen == five


@pytest.mark.parametrize(
    ("query", "names", "numbers"),
    [
        ({"page": 1, "pageSize": 2}, ["s4", "s3"], (1, 2, 5)),
        ({"page": 3, "pageSize": 2}, ["s0"], (3, 2, 5)),
        ({"page": 9, "pageSize": 2}, [], (9, 2, 5)),
        ({"pageSize": 2}, ["s4", "s3"], (1, 2, 5)),
        ({"page": 1}, ["s4", "s3", "s2", "s1", "s0"], (1, 50, 5)),
        ({"page": 1, "label": "parity:1"}, ["s3", "s1"], (1, 50, 2)),
    ],
)
async def test_pages_are_numbered_and_counted(
    acme: httpx.AsyncClient, five: list[str], query: Json, names: list[str], numbers: Json
) -> None:
    page = (await acme.get("/schedules", params=query)).json()

    assert [item["name"] for item in page["items"]] == names
    assert (page["page"], page["pageSize"], page["total"]) == numbers


async def test_runs_have_pages_too(acme: httpx.AsyncClient, five: list[str]) -> None:
    page = (await acme.get("/runs", params={"page": 2, "pageSize": 3})).json()

    assert [item["payload"] for item in page["items"]] == [1, 0]
    assert page["total"] == 5


async def test_schedules_are_found_by_what_is_asked(acme: httpx.AsyncClient, five: list[str]) -> None:
    async def found(**query: Json) -> list[str]:
        return [item["name"] for item in (await acme.get("/schedules", params=query)).json()["items"]]

    assert await found(enabled="true") == five[1:]
    assert await found(enabled="false") == ["s4"]
    assert await found(name="s") == five
    assert await found(name="s3") == ["s3"]
    assert await found(name="%") == []
    assert await found(label="parity:0") == ["s4", "s2", "s0"]
    assert await found(kind="JOB") == five
    assert await found(kind="HTTP") == []


@pytest.mark.parametrize("path", ["/schedules", "/runs", "/jobs", "/workers"])
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("limit=1&limit=2", "limit"),
        ("cursor=!", "cursor"),
        ("cursor=aGVsbG8", "cursor"),
        ("cursor=%00", "cursor"),
        ("cursor=" + "A" * 201, "cursor"),
        ("foo=1", "foo"),
        ("page_size=1", "page_size"),
    ],
)
async def test_a_bad_parameter_is_named(acme: httpx.AsyncClient, path: str, query: str, field: str) -> None:
    answer = await acme.get(f"{path}?{query}")

    assert (answer.status_code, list(errors(answer))) == (422, [field])


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("page=0", "page"),
        ("page=99999999999999999999", "page"),
        ("pageSize=201", "pageSize"),
        ("page=1&cursor=x", "cursor"),
        ("page=1&limit=5", "limit"),
        ("enabled=yes", "enabled"),
        ("kind=MAIL", "kind"),
        ("name=%00", "name"),
        ("label=:x", "label.0"),
    ],
)
async def test_a_bad_parameter_of_schedules_is_named(acme: httpx.AsyncClient, query: str, field: str) -> None:
    answer = await acme.get(f"/schedules?{query}")

    assert (answer.status_code, list(errors(answer))) == (422, [field])


@pytest.mark.parametrize("path", ["/jobs", "/workers", "/calendars", "/runs/dead", "/reports/rejected"])
async def test_every_list_has_pages(acme: httpx.AsyncClient, path: str) -> None:
    page = (await acme.get(path, params={"page": 1, "pageSize": 7})).json()

    assert page == {"items": [], "nextCursor": None, "page": 1, "pageSize": 7, "total": 0}


async def test_jobs_and_workers_are_paged(acme: httpx.AsyncClient) -> None:
    for name in ("a", "b", "c"):
        await acme.post("/jobs", json={"name": name})
        await acme.post("/workers/register", json={"name": name, "jobs": [], "slots": 1})

    for path in ("/jobs", "/workers"):
        page = (await acme.get(path, params={"page": 2, "pageSize": 2})).json()
        assert ([item["name"] for item in page["items"]], page["total"]) == (["a"], 3)


async def test_a_history_is_paged_in_its_order(acme: httpx.AsyncClient, job: Json) -> None:
    schedule = (await acme.post("/schedules", json=a_schedule())).json()
    place = f"/schedules/{schedule['id']}"
    await acme.post(f"{place}/disable")
    await acme.post(f"{place}/enable")

    first = (await acme.get(f"{place}/events", params={"page": 1, "pageSize": 2})).json()
    second = (await acme.get(f"{place}/events", params={"page": 2, "pageSize": 2})).json()
    following = (await acme.get(f"{place}/events", params={"cursor": first["nextCursor"]})).json()

    assert [event["aggregateseq"] for event in first["items"] + second["items"]] == [1, 2, 3]
    assert (first["page"], second["page"], first["total"], second["nextCursor"]) == (1, 2, 3, None)
    assert following == {"items": second["items"], "nextCursor": None}
