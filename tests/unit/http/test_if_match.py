"""`If-Match`: a change is made of what its maker has seen, or not at all."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from tests.unit.http.conftest import Json, Served, a_schedule, errors

PATCHES: dict[str, Json] = {
    "/schedules": {"description": "other"},
    "/jobs": {"queue": "slow"},
    "/calendars": {"description": "other"},
}
STALE = "does not name the present version, which is 2"


@pytest.fixture(params=PATCHES)
async def kind(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


jobs_only = pytest.mark.parametrize("kind", ["/jobs"])
"""For what is read alike whatever it is about."""


@pytest.fixture
async def place(acme: httpx.AsyncClient, job: Json, kind: str) -> str:
    """Of something that was changed once: its version is 2."""
    bodies = {"/schedules": a_schedule(), "/jobs": {"name": "own"}, "/calendars": {"name": "days"}}
    made = (await acme.post(kind, json=bodies[kind])).json()
    path = f"{kind}/{made['id']}"
    changed = await acme.patch(path, json={"description": "once"} if kind != "/jobs" else {"priority": 1})
    assert changed.json()["version"] == 2, changed.text
    return path


async def test_whoever_reads_or_changes_is_told_the_version(acme: httpx.AsyncClient, kind: str, place: str) -> None:
    read = await acme.get(place)
    changed = await acme.patch(place, json=PATCHES[kind], headers={"If-Match": read.headers["etag"]})

    assert (read.headers["etag"], changed.headers["etag"]) == ('"2"', '"3"')
    assert (read.json()["version"], changed.json()["version"]) == (2, 3)
    assert [item["version"] for item in (await acme.get(kind)).json()["items"] if place.endswith(item["id"])] == [3]


@jobs_only
@pytest.mark.parametrize("said", ['"2"', "*", ' "2" ', '"1", "2"', 'W/"2", "2"', '"x" ,, "2",', '"",  "2"', '"ä", "2"'])
@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_what_stands_may_be_changed(served: Served, kind: str, place: str, said: str, method: str) -> None:
    async with served.client() as client:
        headers = [("If-Match", said.encode("latin-1"))]
        answer = await client.request(method, place, json=PATCHES[kind], headers=headers)

    assert answer.status_code == (200 if method == "PATCH" else 204)


@jobs_only
@pytest.mark.parametrize("said", ['"1"', '"3"', 'W/"2"', '"02"', '"1", "3"', '""', '"99999999999999999999"'])
@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_what_does_not_stand_may_not(
    acme: httpx.AsyncClient, kind: str, place: str, said: str, method: str
) -> None:
    before = (await acme.get(place)).content

    answer = await acme.request(method, place, json=PATCHES[kind], headers={"If-Match": said})

    assert (answer.status_code, answer.json()["type"]) == (412, "urn:rota:error:precondition-failed")
    assert errors(answer) == {"If-Match": STALE}
    assert (await acme.get(place)).content == before


@jobs_only
@pytest.mark.parametrize("said", ["2", "", '"2', '2"', '"2" "3"', '*, "2"', 'w/"2"', '"2 "', "W/2", '"2";', "**"])
@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_what_cannot_be_read_is_refused(
    acme: httpx.AsyncClient, kind: str, place: str, said: str, method: str
) -> None:
    before = (await acme.get(place)).content

    answer = await acme.request(method, place, json=PATCHES[kind], headers={"If-Match": said})

    assert (answer.status_code, list(errors(answer))) == (400, ["If-Match"])
    assert (await acme.get(place)).content == before


@jobs_only
async def test_several_lines_are_one_list(acme: httpx.AsyncClient, kind: str, place: str) -> None:
    several = [("If-Match", '"1"'), ("If-Match", '"2"')]

    assert (await acme.patch(place, json=PATCHES[kind], headers=several)).status_code == 200


async def test_what_has_changed_since_is_neither_changed_nor_deleted(
    acme: httpx.AsyncClient, kind: str, place: str
) -> None:
    for method in ("PATCH", "DELETE"):
        answer = await acme.request(method, place, json=PATCHES[kind], headers={"If-Match": '"1"'})
        assert (answer.status_code, errors(answer)) == (412, {"If-Match": STALE})

    assert (await acme.get(place)).json()["version"] == 2


async def test_of_two_who_saw_the_same_one_wins(acme: httpx.AsyncClient, kind: str, place: str) -> None:
    seen = {"If-Match": '"2"'}

    answers = await asyncio.gather(*(acme.patch(place, json=PATCHES[kind], headers=seen) for _ in range(5)))

    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412, 412]
    assert (await acme.get(place)).json()["version"] == 3


async def test_it_is_judged_before_what_is_to_be_changed(acme: httpx.AsyncClient, kind: str, place: str) -> None:
    """A patch of what is not there any more need not fit what is."""
    stale = await acme.patch(place, json={"nonsense": 1}, headers={"If-Match": '"1"'})
    present = await acme.patch(place, json={"nonsense": 1}, headers={"If-Match": '"2"'})

    assert (stale.status_code, present.status_code) == (412, 422)


async def test_what_is_gone_is_unknown(acme: httpx.AsyncClient, kind: str, place: str) -> None:
    await acme.delete(place)

    for said in ('"2"', "*"):
        assert (await acme.patch(place, json={}, headers={"If-Match": said})).status_code == 404


async def test_a_dry_run_is_judged_like_the_change(acme: httpx.AsyncClient) -> None:
    calendar = (await acme.post("/calendars", json={"name": "days"})).json()
    place = f"/calendars/{calendar['id']}"

    would = await acme.patch(f"{place}?dryRun=true", json=PATCHES["/calendars"], headers={"If-Match": '"1"'})
    stale = await acme.patch(f"{place}?dryRun=true", json=PATCHES["/calendars"], headers={"If-Match": '"2"'})

    assert (would.status_code, stale.status_code) == (200, 412)


async def test_a_job_in_use_that_has_changed_is_stale_first(acme: httpx.AsyncClient, job: Json) -> None:
    await acme.post("/schedules", json=a_schedule())

    stale = await acme.delete(f"/jobs/{job['id']}", headers={"If-Match": '"7"'})
    present = await acme.delete(f"/jobs/{job['id']}", headers={"If-Match": '"1"'})

    assert (stale.status_code, present.status_code) == (412, 409)


async def test_enabling_counts_as_a_change_and_a_fire_does_not(acme: httpx.AsyncClient, job: Json) -> None:
    schedule = (await acme.post("/schedules", json=a_schedule())).json()
    place = f"/schedules/{schedule['id']}"
    await acme.post(f"{place}/trigger")
    fired = await acme.get(place)
    await acme.post(f"{place}/disable")

    stale = await acme.patch(place, json={"description": "x"}, headers={"If-Match": fired.headers["etag"]})

    assert (fired.headers["etag"], stale.status_code) == ('"1"', 412)


async def test_where_it_does_not_count_it_is_refused(served: Served, job: Json) -> None:
    async with served.client(**{"If-Match": '"1"'}) as client:
        answers = [await client.get(f"/jobs/{job['id']}"), await client.post("/jobs", json={"name": "x"})]

    for answer in answers:
        assert (answer.status_code, errors(answer)) == (400, {"If-Match": "counts with PATCH and DELETE only"})
    assert len(served.store.tables.jobs) == 1
