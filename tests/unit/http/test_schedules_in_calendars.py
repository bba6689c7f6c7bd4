"""`calendar` and `jitterSec` of schedules and of previews."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar
from uuid import UUID

import httpx
import pytest
from pydantic import TypeAdapter
from tests.unit.http.conftest import Json, Served, a_schedule, errors

from rota.entrypoints.http.wire.schedules import ScheduleOut

NOBODYS = str(UUID(int=7))


@pytest.fixture
async def calendar(acme: httpx.AsyncClient) -> Json:
    """Open from Monday to Friday, but for the first of January 2026, a Thursday: the day that it is."""
    closures = [{"from": "2026-01-01", "reason": "New Year"}]
    return (await acme.post("/calendars", json={"name": "office", "closures": closures})).json()


def going_by(calendar: Json, on_closed: str = "SKIP") -> Json:
    return {"calendarId": calendar["id"], "onClosed": on_closed}


def ats(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [fire["at"] for fire in answer.json()["fires"]]


class TestKeeping:
    @pytest.mark.parametrize(
        ("on_closed", "first"),
        [
            ("SKIP", "2026-01-02T09:00:00Z"),
            ("NEXT_OPEN", "2026-01-02T09:00:00Z"),
            ("MODIFIED_FOLLOWING", "2026-01-02T09:00:00Z"),
        ],
    )
    async def test_a_schedule_goes_by_it(
        self, acme: httpx.AsyncClient, job: Json, calendar: Json, on_closed: str, first: str
    ) -> None:
        rule = going_by(calendar, on_closed)

        made = await acme.post("/schedules", json=a_schedule(calendar=rule))
        read = await acme.get(f"/schedules/{made.json()['id']}")

        assert made.status_code == 201
        assert (read.json()["calendar"], read.json()["nextFireAt"]) == (rule, first)
        TypeAdapter(ScheduleOut).validate_json(read.content, extra="forbid")

    async def test_skip_goes_without_saying(self, acme: httpx.AsyncClient, job: Json, calendar: Json) -> None:
        made = await acme.post("/schedules", json=a_schedule(calendar={"calendarId": calendar["id"]}))

        assert made.json()["calendar"] == going_by(calendar)

    async def test_jitter_is_the_same_each_time(self, acme: httpx.AsyncClient, job: Json) -> None:
        made = (await acme.post("/schedules", json=a_schedule(jitterSec=600))).json()
        fires = (await acme.get(f"/schedules/{made['id']}/fires?count=3")).json()["fires"]

        first, *others = [
            datetime.fromisoformat(fire["at"]) - datetime.fromisoformat(fire["scheduledFor"]) for fire in fires
        ]
        assert made["jitterSec"] == 600
        assert made["nextFireAt"] == fires[0]["at"]
        assert timedelta(0) < first <= timedelta(minutes=10)
        assert others == [first, first]

    async def test_a_patch_says_another_rule_or_none(self, acme: httpx.AsyncClient, job: Json, calendar: Json) -> None:
        made = (await acme.post("/schedules", json=a_schedule(calendar=going_by(calendar)))).json()
        place = f"/schedules/{made['id']}"

        moved = await acme.patch(place, json={"calendar": {"onClosed": "NEXT_OPEN"}, "jitterSec": 0.5})
        renamed = await acme.patch(place, json={"name": "another"})
        free = await acme.patch(place, json={"calendar": None, "jitterSec": 0})

        assert (moved.json()["calendar"], moved.json()["jitterSec"]) == (going_by(calendar, "NEXT_OPEN"), 0.5)
        assert (renamed.json()["calendar"], renamed.json()["jitterSec"]) == (going_by(calendar, "NEXT_OPEN"), 0.5)
        assert (free.json()["calendar"], free.json()["nextFireAt"]) == (None, "2026-01-01T09:00:00Z")

    @pytest.mark.parametrize(
        ("said", "field", "message"),
        [
            ({"calendar": {"calendarId": NOBODYS}}, "calendar.calendarId", "there is no such calendar"),
            ({"calendar": {"calendarId": "DE-BY"}}, "calendar.calendarId", None),
            ({"calendar": {}}, "calendar.calendarId", "is required"),
            ({"calendar": {"calendarId": NOBODYS, "onClosed": "NEVER"}}, "calendar.onClosed", None),
            ({"calendar": {"calendarId": NOBODYS, "zone": "UTC"}}, "calendar.zone", "unknown"),
            ({"calendar": NOBODYS}, "calendar", None),
            ({"jitterSec": 86_401}, "jitterSec", "must be from 0 to 86,400"),
            ({"jitterSec": -1}, "jitterSec", None),
            ({"jitterSec": "1"}, "jitterSec", None),
            ({"jitterSec": None}, "jitterSec", None),
            (
                {"trigger": {"type": "FIXED_DELAY", "delaySec": 60}, "calendar": {"calendarId": NOBODYS}},
                "calendar",
                "has no meaning with a trigger of kind FIXED_DELAY",
            ),
            (
                {"trigger": {"type": "EVENT", "subject": "topic.acme.orders.paid"}, "jitterSec": 1},
                "jitterSec",
                "has no meaning where an event is the trigger",
            ),
            (
                {"trigger": {"type": "BUSINESS_DAY", "day": -1, "of": "MONTH", "at": "09:00"}},
                "calendar",
                "is required: its open days are what the trigger counts",
            ),
        ],
    )
    async def test_what_is_wrong_is_named(
        self,
        served: Served,
        acme: httpx.AsyncClient,
        job: Json,
        said: Json,
        field: str,
        message: str | None,
    ) -> None:
        refused = await acme.post("/schedules", json=a_schedule(**said))

        assert (refused.status_code, list(errors(refused))) == (422, [field])
        assert message in (None, errors(refused)[field])
        assert not served.store.tables.schedules

    async def test_of_a_batch_its_place_is_named_too(
        self, served: Served, acme: httpx.AsyncClient, job: Json, calendar: Json
    ) -> None:
        good = a_schedule(name="a", calendar=going_by(calendar))
        bad = a_schedule(name="b", calendar={"calendarId": NOBODYS})

        refused = await acme.post("/schedules/batch", json=[good, bad])
        made = await acme.post("/schedules/batch", json=[good, a_schedule(name="b", jitterSec=1)])

        assert (refused.status_code, list(errors(refused))) == (422, ["1.calendar.calendarId"])
        assert [each["calendar"] for each in made.json()["items"]] == [going_by(calendar), None]

    async def test_anothers_calendar_is_as_unknown_as_none(
        self, acme: httpx.AsyncClient, globex: httpx.AsyncClient, job: Json
    ) -> None:
        theirs = (await globex.post("/calendars", json={"name": "office"})).json()

        refused = [
            await acme.post("/schedules", json=a_schedule(calendar={"calendarId": own}))
            for own in (theirs["id"], NOBODYS)
        ]

        assert refused[0].json()["errors"] == refused[1].json()["errors"]

    async def test_a_calendar_that_closes_for_good_is_none_to_go_by(self, acme: httpx.AsyncClient, job: Json) -> None:
        closed = {"name": "wound up", "closures": [{"from": "1990-01-01", "to": "9997-12-31"}]}
        calendar = (await acme.post("/calendars", json=closed)).json()

        made = await acme.post("/schedules", json=a_schedule(calendar=going_by(calendar)))

        assert (made.status_code, made.json()["errors"]) == (
            422,
            [
                {
                    "field": "calendar.calendarId",
                    "message": "leaves nothing of the trigger: all its due times are closed",
                }
            ],
        )


class TestPreview:
    DAILY: ClassVar[Json] = {"trigger": {"type": "CRON", "cron": "0 9 * * *"}, "tz": "UTC", "count": 3}

    async def test_it_goes_by_a_calendar(self, served: Served, acme: httpx.AsyncClient, calendar: Json) -> None:
        skipped = await acme.post("/schedules/preview", json=self.DAILY | {"calendar": going_by(calendar)})
        moved = await acme.post("/schedules/preview", json=self.DAILY | {"calendar": going_by(calendar, "NEXT_OPEN")})

        assert ats(skipped) == ["2026-01-02T09:00:00Z", "2026-01-05T09:00:00Z", "2026-01-06T09:00:00Z"]
        assert [fire["scheduledFor"] for fire in moved.json()["fires"]] == [
            "2026-01-01T09:00:00Z",
            "2026-01-03T09:00:00Z",
            "2026-01-06T09:00:00Z",
        ]
        assert ats(moved) == ats(skipped)
        assert not served.store.tables.schedules

    async def test_what_was_scheduled_before_now_is_none_of_its_due_times(
        self, served: Served, acme: httpx.AsyncClient, job: Json, calendar: Json
    ) -> None:
        served.clock.advance(timedelta(hours=12))
        weekly = {"type": "CRON", "cron": "0 9 * * 4"}
        rule = going_by(calendar, "NEXT_OPEN")
        said = self.DAILY | {"trigger": weekly, "count": 1, "calendar": rule}

        made = (await acme.post("/schedules", json=a_schedule(trigger=weekly, calendar=rule))).json()
        previewed = await acme.post("/schedules/preview", json=said)
        fires = await acme.get(f"/schedules/{made['id']}/fires?count=1")
        earlier = await acme.post("/schedules/preview", json=said | {"from": "2026-01-01T00:00:00Z"})

        assert made["nextFireAt"] == "2026-01-08T09:00:00Z"
        assert ats(previewed) == ats(fires) == ["2026-01-08T09:00:00Z"]
        assert ats(earlier) == ["2026-01-02T09:00:00Z"]

    async def test_with_its_id_it_is_spread_as_the_schedule_is(self, acme: httpx.AsyncClient, job: Json) -> None:
        made = (await acme.post("/schedules", json=a_schedule(jitterSec=600))).json()
        spread = {"jitterSec": 600, "scheduleId": made["id"], "count": 1}

        answer = await acme.post("/schedules/preview", json=self.DAILY | spread)

        assert ats(answer) == [made["nextFireAt"]]

    async def test_jitter_alone_is_refused(self, acme: httpx.AsyncClient) -> None:
        refused = await acme.post("/schedules/preview", json=self.DAILY | {"jitterSec": 1})

        assert errors(refused) == {
            "jitterSec": "needs scheduleId beside it: how far it spreads follows from the two",
        }

    async def test_a_calendar_that_there_is_not_is_named(self, acme: httpx.AsyncClient) -> None:
        refused = await acme.post("/schedules/preview", json=self.DAILY | {"calendar": {"calendarId": NOBODYS}})

        assert (refused.status_code, errors(refused)) == (
            422,
            {"calendar.calendarId": "there is no such calendar"},
        )
