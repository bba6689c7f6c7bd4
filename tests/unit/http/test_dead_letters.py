"""/runs/dead, /runs/redrive and /redrives"""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest
from tests.support.ended import ended, keep
from tests.unit.http.conftest import Json, Served, errors

from rota.application.redrive_once import RedriveOnce
from rota.domain.ids import TenantId
from rota.domain.job import Job
from rota.domain.run import Run
from rota.domain.run_events import RunState
from rota.infrastructure.memory.store import InMemoryBegin

SOMEBODY = "01890a5d-ac96-774b-bcce-b302099a8057"


async def stored(served: Served, name: str = "reports.daily", tenant: str = "acme") -> Job:
    async with InMemoryBegin(served.store)() as work:
        return (await work.jobs.named(TenantId(tenant), {name}))[name]


async def dead(served: Served, message: str = "no such report", *, job: str = "reports.daily", count: int = 1) -> Run:
    """So many dead letters of acme; the last of them."""
    of = await stored(served, job)
    runs = [
        ended(RunState.DEAD, served.clock.now() + n * timedelta(seconds=1), job=of, message=message)
        for n in range(count)
    ]
    await keep(InMemoryBegin(served.store), *runs)
    return runs[-1]


async def made(served: Served, seconds: int = 1) -> int:
    """What the leader makes in so many seconds."""
    count = 0
    for _ in range(seconds):
        served.clock.advance(timedelta(seconds=1))
        count += await served.services.bus.handle(RedriveOnce())
    return count


class TestDead:
    async def test_dead_letters_are_listed_in_groups(self, served: Served, acme: httpx.AsyncClient, job: Json) -> None:
        await dead(served, "rare")
        last = await dead(served, "no such report: 17", count=3)

        answer = await acme.get("/runs/dead")

        assert answer.status_code == 200
        first, second = answer.json()["items"]
        assert first == {
            "fingerprint": last.fingerprint,
            "job": "reports.daily",
            "target": "JOB",
            "errorType": "ValueError",
            "message": "no such report: 17",
            "count": 3,
            "first": "2026-01-01T00:00:00Z",
            "last": "2026-01-01T00:00:02Z",
            "exampleRunId": str(last.id),
        }
        assert (second["count"], second["message"]) == (1, "rare")
        assert answer.json()["nextCursor"] is None

    async def test_a_cursor_goes_through_all_once(self, served: Served, acme: httpx.AsyncClient, job: Json) -> None:
        for message in ("a", "b", "c", "d", "e"):
            await dead(served, message)
        whole = (await acme.get("/runs/dead")).json()["items"]

        items: list[Json] = []
        cursor: Json = {}
        while cursor is not None:
            page = (await acme.get("/runs/dead", params={"limit": 2, **cursor})).json()
            items += page["items"]
            cursor = {"cursor": page["nextCursor"]} if page["nextCursor"] else None

        assert (items, len(items)) == (whole, 5)

    async def test_they_are_filtered(self, served: Served, acme: httpx.AsyncClient, job: Json) -> None:
        await acme.post("/jobs", json={"name": "mail"})
        await dead(served, "plain")
        await dead(served, "mail", job="mail")

        async def found(**query: Json) -> list[str]:
            return [item["message"] for item in (await acme.get("/runs/dead", params=query)).json()["items"]]

        assert await found(job="mail") == ["mail"]
        assert await found(scheduleId=SOMEBODY) == []
        assert await found(label="team:bi") == []
        assert sorted(await found(**{"from": "2026-01-01T00:00:00Z"})) == ["mail", "plain"]
        assert await found(to="2026-01-01T00:00:00Z") == []

    async def test_what_was_retried_is_left_out_unless_it_is_asked_for(
        self, served: Served, acme: httpx.AsyncClient, job: Json
    ) -> None:
        run = await dead(served)
        await acme.post(f"/runs/{run.id}/retry")

        left = (await acme.get("/runs/dead")).json()["items"]
        whole = (await acme.get("/runs/dead", params={"redriven": "true"})).json()["items"]

        assert (left, [item["count"] for item in whole]) == ([], [1])

    async def test_a_group_leads_to_its_runs(self, served: Served, acme: httpx.AsyncClient, job: Json) -> None:
        await dead(served, "other")
        run = await dead(served, "wanted", count=2)
        (group,) = [each for each in (await acme.get("/runs/dead")).json()["items"] if each["count"] == 2]

        answer = await acme.get("/runs", params={"state": "DEAD", "fingerprint": group["fingerprint"]})

        assert len(answer.json()["items"]) == 2
        assert {item["fingerprint"] for item in answer.json()["items"]} == {run.fingerprint}

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ({"fingerprint": "x"}, "fingerprint"),
            ({"redriven": "yes"}, "redriven"),
            ({"cursor": "????"}, "cursor"),
            ({"cursor": "MTI"}, "cursor"),
            ({"limit": "0"}, "limit"),
            ({"page": "0"}, "page"),
            ({"state": "DEAD"}, "state"),
        ],
    )
    async def test_a_bad_parameter_is_named(self, acme: httpx.AsyncClient, query: Json, field: str) -> None:
        answer = await acme.get("/runs/dead", params=query)

        assert (answer.status_code, list(errors(answer))) == (422, [field])

    async def test_a_fingerprint_has_sixteen_digits(self, acme: httpx.AsyncClient) -> None:
        answer = await acme.get("/runs", params={"fingerprint": "17"})

        assert errors(answer) == {"fingerprint": "must be 16 hexadecimal digits"}


class TestRedrive:
    async def test_dead_letters_are_redriven(self, served: Served, acme: httpx.AsyncClient, job: Json) -> None:
        letter = await dead(served, count=3)

        asked = await acme.post("/runs/redrive", json={"filter": {"fingerprint": letter.fingerprint}, "perSec": 10})
        begun = (await acme.get(f"/redrives/{asked.json()['id']}")).json()
        await made(served)
        done = (await acme.get(f"/redrives/{asked.json()['id']}")).json()

        assert (asked.status_code, asked.json()) == (202, {"id": begun["id"], "count": 3})
        assert begun == {
            "id": asked.json()["id"],
            "tenantId": "acme",
            "state": "RUNNING",
            "count": 3,
            "made": 0,
            "passed": 0,
            "dead": 0,
            "reason": None,
            "filter": {
                "fingerprint": letter.fingerprint,
                "job": None,
                "scheduleId": None,
                "label": [],
                "from": None,
                "to": None,
            },
            "perSec": 10,
            "max": 10000,
            "stopAfter": 10,
            "payload": None,
            "createdAt": "2026-01-01T00:00:00Z",
            "finishedAt": None,
        }
        assert (done["state"], done["made"], done["finishedAt"]) == ("DONE", 3, "2026-01-01T00:00:01Z")
        retries = (await acme.get("/runs", params={"cause": "RETRY"})).json()["items"]
        assert len(retries) == 3
        assert str(letter.id) in {run["retryOf"] for run in retries}

    async def test_all_that_it_takes_is_read(self, served: Served, acme: httpx.AsyncClient, job: Json) -> None:
        said = {
            "filter": {
                "job": "reports.daily",
                "scheduleId": SOMEBODY,
                "label": "team:bi",
                "from": "2026-01-01T00:00:00Z",
                "to": "2026-01-02T00:00:00Z",
            },
            "perSec": 0.5,
            "max": 7,
            "stopAfter": 2,
            "payload": {"kind": "full"},
        }

        asked = await acme.post("/runs/redrive", json=said)
        told = (await acme.get(f"/redrives/{asked.json()['id']}")).json()

        own = said["filter"]
        assert isinstance(own, dict)
        assert told["filter"] == own | {"label": ["team:bi"], "fingerprint": None}
        assert {name: told[name] for name in said if name != "filter"} == {
            name: value for name, value in said.items() if name != "filter"
        }
        assert told["state"] == "DONE"

    async def test_a_dry_run_tells_and_does_nothing(self, served: Served, acme: httpx.AsyncClient, job: Json) -> None:
        await dead(served, "often", count=3)
        await dead(served, "rare")

        answer = await acme.post("/runs/redrive", json={"filter": {}, "dryRun": True})
        capped = await acme.post("/runs/redrive", json={"filter": {}, "dryRun": True, "max": 2})

        assert answer.status_code == 200
        assert answer.json()["count"] == 4
        assert [(group["count"], group["message"]) for group in answer.json()["groups"]] == [(3, "often"), (1, "rare")]
        assert capped.json()["count"] == 2
        assert served.store.tables.redrives == {}

    async def test_a_redrive_can_be_cancelled_once(self, served: Served, acme: httpx.AsyncClient, job: Json) -> None:
        await dead(served, count=5)
        own = f"/redrives/{(await acme.post('/runs/redrive', json={'filter': {}, 'perSec': 1})).json()['id']}"
        await made(served)

        cancelled = await acme.post(f"{own}/cancel", json={"reason": "the wrong ones"})
        again = await acme.post(f"{own}/cancel")

        assert cancelled.status_code == 202
        told = cancelled.json()
        assert (told["state"], told["reason"], told["made"]) == ("CANCELLED", "the wrong ones", 2)
        assert (again.status_code, again.json()["type"]) == (409, "urn:rota:error:transition")
        assert await made(served, 3) == 0

    async def test_the_dead_of_others_are_not_touched(
        self, served: Served, acme: httpx.AsyncClient, globex: httpx.AsyncClient, job: Json
    ) -> None:
        await dead(served, count=2)

        answer = await globex.post("/runs/redrive", json={"filter": {}})

        assert answer.json()["count"] == 0
        assert (await globex.get("/runs/dead")).json()["items"] == []

    @pytest.mark.parametrize(
        ("said", "field"),
        [
            ({}, "filter"),
            ({"filter": None}, "filter"),
            ({"filter": {"fingerprint": "XYZ"}}, "filter.fingerprint"),
            ({"filter": {"job": ""}}, "filter.job"),
            ({"filter": {"scheduleId": "17"}}, "filter.scheduleId"),
            ({"filter": {"label": "team"}}, "filter.label.0"),
            ({"filter": {"label": 5}}, "filter.label"),
            ({"filter": {"from": "2026-01-01"}}, "filter.from"),
            ({"filter": {"state": "DEAD"}}, "filter.state"),
            ({"filter": {"label": ["a:1", "a:2"]}}, "filter.label"),
            ({"filter": {}, "perSec": 0}, "perSec"),
            ({"filter": {}, "perSec": "50"}, "perSec"),
            ({"filter": {}, "perSec": 1001}, "perSec"),
            ({"filter": {}, "max": 0}, "max"),
            ({"filter": {}, "max": 100001}, "max"),
            ({"filter": {}, "max": 1.5}, "max"),
            ({"filter": {}, "stopAfter": 0}, "stopAfter"),
            ({"filter": {}, "dryRun": "true"}, "dryRun"),
            ({"filter": {}, "payload": 1}, "payload"),
            ({"filter": {}, "payload": 1, "dryRun": True}, "payload"),
            ({"filter": {}, "perSecond": 1}, "perSecond"),
        ],
    )
    async def test_a_bad_field_is_named(self, served: Served, acme: httpx.AsyncClient, said: Json, field: str) -> None:
        answer = await acme.post("/runs/redrive", json=said)

        assert (answer.status_code, list(errors(answer))) == (422, [field])
        assert served.store.tables.redrives == {}

    async def test_null_is_a_payload_like_any_other(self, served: Served, acme: httpx.AsyncClient, job: Json) -> None:
        await dead(served)

        await acme.post("/runs/redrive", json={"filter": {"job": "reports.daily"}, "payload": None})
        await made(served)

        (run,) = (await acme.get("/runs", params={"cause": "RETRY"})).json()["items"]
        assert run["payload"] is None

    async def test_an_unknown_redrive_is_not_found(self, acme: httpx.AsyncClient) -> None:
        for answer in (await acme.get(f"/redrives/{SOMEBODY}"), await acme.post(f"/redrives/{SOMEBODY}/cancel")):
            assert answer.status_code == 404
