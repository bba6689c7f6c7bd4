"""POST /schedules/{id}/enable with `catchUp`, and /disable with `until`."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest
from tests.unit.http.conftest import Json, Served, a_schedule, errors


@pytest.fixture
async def schedule(acme: httpx.AsyncClient, job: Json) -> Json:
    """Daily at nine; it is the first of January 2026, midnight."""
    return (await acme.post("/schedules", json=a_schedule())).json()


async def runs(acme: httpx.AsyncClient) -> list[str]:
    return sorted(run["scheduledFor"][:10] for run in (await acme.get("/runs")).json()["items"])


class TestCatchingUp:
    @pytest.mark.parametrize(
        ("body", "made"),
        [(None, []), ({}, []), ({"catchUp": "NONE"}, []), ({"catchUp": "LAST", "reason": "back"}, ["2026-01-03"])],
    )
    async def test_what_is_wanted_runs(
        self, served: Served, acme: httpx.AsyncClient, schedule: Json, body: Json, made: list[str]
    ) -> None:
        await acme.post(f"/schedules/{schedule['id']}/disable")
        served.clock.advance(timedelta(days=3))

        answer = await acme.post(f"/schedules/{schedule['id']}/enable", **({} if body is None else {"json": body}))

        assert (answer.status_code, answer.json()["enabled"]) == (200, True)
        assert answer.json()["nextFireAt"] == "2026-01-04T09:00:00Z"
        assert await runs(acme) == made

    async def test_all_are_set_aside(self, served: Served, acme: httpx.AsyncClient, schedule: Json) -> None:
        await acme.post(f"/schedules/{schedule['id']}/disable")
        served.clock.advance(timedelta(days=3))

        answer = await acme.post(f"/schedules/{schedule['id']}/enable", json={"catchUp": "ALL"})

        (catch_up,) = served.store.tables.catch_ups.values()
        assert (answer.status_code, catch_up.span.count) == (200, 3)

    @pytest.mark.parametrize(
        ("body", "field"),
        [({"catchUp": "SOME"}, "catchUp"), ({"catchUp": None}, "catchUp"), ({"until": None}, "until")],
    )
    async def test_what_is_wrong_is_named(
        self, acme: httpx.AsyncClient, schedule: Json, body: Json, field: str
    ) -> None:
        answer = await acme.post(f"/schedules/{schedule['id']}/enable", json=body)

        assert (answer.status_code, list(errors(answer))) == (422, [field])

    async def test_a_trigger_that_has_no_past_is_told(self, acme: httpx.AsyncClient, job: Json) -> None:
        said = a_schedule(trigger={"type": "FIXED_DELAY", "delaySec": 60}, enabled=False)
        made = (await acme.post("/schedules", json=said)).json()

        answer = await acme.post(f"/schedules/{made['id']}/enable", json={"catchUp": "LAST"})

        assert errors(answer) == {"catchUp": "has no meaning with a trigger of kind FIXED_DELAY"}


class TestUntil:
    async def test_it_is_told_until_when(self, acme: httpx.AsyncClient, schedule: Json) -> None:
        place = f"/schedules/{schedule['id']}"

        paused = await acme.post(f"{place}/disable", json={"until": "2026-01-03T10:00:00+01:00", "reason": "holidays"})
        read = await acme.get(place)
        renamed = await acme.patch(place, json={"name": "another"})
        events = (await acme.get(f"{place}/events")).json()["items"]
        back = await acme.post(f"{place}/enable")

        assert paused.status_code == 200
        assert (paused.json()["enabled"], paused.json()["nextFireAt"]) == (False, None)
        assert [each.json()["disabledUntil"] for each in (paused, read, renamed, back)] == [
            "2026-01-03T09:00:00Z",
            "2026-01-03T09:00:00Z",
            "2026-01-03T09:00:00Z",
            None,
        ]
        (told,) = [event["data"] for event in events if event["type"] == "scheduler.schedule.disabled"]
        assert told == {"version": 2, "reason": "holidays", "until": "2026-01-03T09:00:00Z"}

    @pytest.mark.parametrize("until", ["2026-01-01T00:00:00Z", "2020-01-01T00:00:00Z", "2026-01-03T09:00:00", 7])
    async def test_what_is_wrong_is_named(self, acme: httpx.AsyncClient, schedule: Json, until: Json) -> None:
        answer = await acme.post(f"/schedules/{schedule['id']}/disable", json={"until": until})

        assert (answer.status_code, list(errors(answer))) == (422, ["until"])
        assert (await acme.get(f"/schedules/{schedule['id']}")).json()["enabled"]
