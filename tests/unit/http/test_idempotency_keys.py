"""What an idempotency key is, and for which calls it is the same."""

from __future__ import annotations

import httpx
import pytest
from tests.unit.http.conftest import Json, Served, a_schedule, errors
from tests.unit.http.test_calendars import a_file
from tests.unit.http.test_idempotency import KEY, ONE_RUN, told


class TestAnotherCall:
    async def test_another_body_is_refused_by_name(self, served: Served, acme: httpx.AsyncClient) -> None:
        await acme.post("/jobs", json={"name": "a"}, headers=KEY)
        answer = await acme.post("/jobs", json={"name": "b"}, headers=KEY)

        assert (answer.status_code, answer.json()["type"]) == (422, "urn:rota:error:key-reused")
        assert list(errors(answer)) == ["Idempotency-Key"]
        assert len(served.store.tables.jobs) == 1

    async def test_so_is_another_query(self, acme: httpx.AsyncClient) -> None:
        calendar = (await acme.post("/calendars", json={"name": "x"})).json()
        place = f"/calendars/{calendar['id']}/import"

        would = await acme.post(place, params={"dryRun": "true"}, content=a_file(), headers=KEY)
        does = await acme.post(place, content=a_file(), headers=KEY)

        assert (would.status_code, does.status_code) == (200, 422)
        assert list(errors(does)) == ["Idempotency-Key"]

    async def test_a_query_is_no_part_of_a_body(self, acme: httpx.AsyncClient) -> None:
        """What stands in one cannot be moved to the other."""
        calendar = (await acme.post("/calendars", json={"name": "x"})).json()
        place, text = f"/calendars/{calendar['id']}/import", a_file().decode()

        await acme.post(f"{place}?dryRun=true", content=text, headers=KEY)
        moved = await acme.post(f"{place}?dryRun=tru", content="e" + text, headers=KEY)

        assert moved.status_code == 422

    async def test_a_body_that_is_no_good_is_refused_for_that(self, acme: httpx.AsyncClient) -> None:
        await acme.post("/jobs", json={"name": "a"}, headers=KEY)

        assert list(errors(await acme.post("/jobs", json={"nam": "a"}, headers=KEY))) == ["name", "nam"]

    async def test_elsewhere_a_key_is_another(self, served: Served, acme: httpx.AsyncClient, job: Json) -> None:
        made = [
            await acme.post("/runs", json=ONE_RUN, headers=KEY),
            await acme.post("/runs/batch", json=[ONE_RUN], headers=KEY),
            await acme.post("/schedules", json=a_schedule(), headers=KEY),
        ]
        assert [answer.status_code for answer in made] == [201] * 3
        assert len(served.store.tables.keyed_calls) == 3

    async def test_another_tenants_is_another(self, acme: httpx.AsyncClient, globex: httpx.AsyncClient) -> None:
        ours = await acme.post("/jobs", json={"name": "a"}, headers=KEY)
        theirs = await globex.post("/jobs", json={"name": "b"}, headers=KEY)

        assert (ours.status_code, theirs.status_code) == (201, 201)
        assert (ours.json()["tenantId"], theirs.json()["tenantId"]) == ("acme", "globex")

    async def test_both_prefixes_are_one_place_and_an_id_has_one_form(self, served: Served, job: Json) -> None:
        async with served.client() as below, served.client(base="") as above:
            schedule = (await below.post("/schedules", json=a_schedule())).json()
            first = await below.post(f"/schedules/{schedule['id']}/trigger", headers=KEY)
            second = await above.post(f"/schedules/{schedule['id'].upper()}/trigger", headers=KEY)

        assert told(second) == told(first)
        assert len(served.store.tables.runs) == 1


class TestTheKeyItself:
    @pytest.mark.parametrize("key", ["", "x" * 256, "ä", "a\tb"])
    async def test_one_that_cannot_be_one_is_unreadable(self, served: Served, key: str) -> None:
        async with served.client() as client:
            raw = [(b"Idempotency-Key", key.encode())]
            answer = await client.post("/jobs", json={"name": "a"}, headers=raw)

        assert (answer.status_code, list(errors(answer))) == (400, ["Idempotency-Key"])
        assert not served.store.tables.jobs

    @pytest.mark.parametrize("key", ["x", "x" * 255, '"8e03978e-40d5-43dd-bc93-6894a57f9324"', "a b", "%00"])
    async def test_any_other_can(self, served: Served, key: str) -> None:
        async with served.client(**{"Idempotency-Key": key}) as client:
            answers = [await client.post("/jobs", json={"name": "a"}) for _ in range(2)]

        assert [answer.status_code for answer in answers] == [201, 201]
        assert len(served.store.tables.jobs) == 1

    async def test_it_is_said_once(self, acme: httpx.AsyncClient) -> None:
        answer = await acme.post(
            "/jobs", json={"name": "a"}, headers=[("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
        )

        assert (answer.status_code, errors(answer)) == (400, {"Idempotency-Key": "is said more than once"})

    async def test_where_it_does_not_count_it_is_refused(self, served: Served, job: Json) -> None:
        async with served.client(**KEY) as client:
            for method in ("GET", "PATCH", "DELETE"):
                answer = await client.request(method, f"/jobs/{job['id']}", json={"queue": "slow"})
                assert (answer.status_code, errors(answer)) == (400, {"Idempotency-Key": "counts with POST only"})

        assert [row.definition.queue for row in served.store.tables.jobs.values()] == ["default"]
