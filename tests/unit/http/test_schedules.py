"""/schedules"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from tests.support.builders import ACME, MINUTE, NOON
from tests.unit.http.conftest import Json, Served, a_schedule, errors

from rota.domain.decision import Miss
from rota.domain.ids import ScheduleId
from rota.domain.misfire import Span
from rota.infrastructure.memory.store import InMemoryBegin

DEFAULTS = {
    "description": "",
    "labels": {},
    "enabled": True,
    "calendar": None,
    "misfire": {"policy": "FIRE_ONCE", "graceSec": 30, "catchupWindowSec": None},
    "overlap": "ALLOW",
    "jitterSec": 0,
    "startAt": None,
    "endAt": None,
    "maxRuns": None,
    "priority": None,
    "retry": None,
    "timeoutSec": None,
}


@pytest.fixture
async def schedule(acme: httpx.AsyncClient, job: Json) -> Json:
    return (await acme.post("/schedules", json=a_schedule())).json()


async def test_a_schedule_is_made_and_read_back(acme: httpx.AsyncClient, job: Json) -> None:
    made = await acme.post(
        "/schedules", json=a_schedule(target={"kind": "JOB", "job": "reports.daily", "payload": [1]})
    )

    read = await acme.get(f"/schedules/{made.json()['id']}")

    assert made.status_code == 201
    assert made.headers["location"] == f"/api/v1/schedules/{made.json()['id']}"
    assert made.headers["etag"] == read.headers["etag"] == '"1"'
    assert made.json() == read.json()
    assert read.json() == DEFAULTS | {
        "id": made.json()["id"],
        "tenantId": "acme",
        "name": "daily",
        "tz": "UTC",
        "trigger": {"type": "CRON", "cron": "0 9 * * *"},
        "target": {"kind": "JOB", "job": "reports.daily", "payload": [1]},
        "disabledUntil": None,
        "nextFireAt": "2026-01-01T09:00:00Z",
        "lastFireAt": None,
        "createdAt": "2026-01-01T00:00:00Z",
        "updatedAt": "2026-01-01T00:00:00Z",
        "version": 1,
    }


async def test_what_is_read_of_a_schedule_can_be_said_of_a_new_one(acme: httpx.AsyncClient, schedule: Json) -> None:
    said = {name: value for name, value in schedule.items() if name in DEFAULTS or name in a_schedule()}

    answer = await acme.post("/schedules", json=said | {"name": "another"})

    assert answer.status_code == 201


async def test_at_the_root_the_same_app_answers(served: Served, job: Json) -> None:
    async with served.client(base="") as client:
        made = await client.post("/schedules", json=a_schedule())
        read = await client.get(made.headers["location"])

    assert made.headers["location"] == f"/schedules/{made.json()['id']}"
    assert read.json()["name"] == "daily"


async def test_without_a_zone_a_schedule_is_in_the_default_one(acme: httpx.AsyncClient, job: Json) -> None:
    without = a_schedule()
    del without["tz"]

    assert (await acme.post("/schedules", json=without)).json()["tz"] == "Europe/Berlin"


@pytest.mark.parametrize(
    ("trigger", "shown", "next_fire"),
    [
        (
            {"type": "ONE_SHOT", "startAt": "2026-07-01T09:00:00"},
            {"type": "ONE_SHOT", "startAt": "2026-07-01T09:00:00"},
            "2026-07-01T07:00:00Z",
        ),
        (
            {"type": "ONE_SHOT", "startAt": "2026-07-01T09:00:00+04:00"},
            {"type": "ONE_SHOT", "startAt": "2026-07-01T05:00:00Z"},
            "2026-07-01T05:00:00Z",
        ),
        (
            {"type": "FIXED_RATE", "everySec": 1.5, "anchorAt": "2026-01-01T00:00:00.25Z"},
            {"type": "FIXED_RATE", "everySec": 1.5, "anchorAt": "2026-01-01T00:00:00.250000Z"},
            "2026-01-01T00:00:00.250000Z",
        ),
        ({"type": "FIXED_DELAY", "delaySec": 0.5}, {"type": "FIXED_DELAY", "delaySec": 0.5}, "2026-01-01T00:00:00Z"),
        (
            {"type": "EVENT", "subject": "topic.acme.orders.>"},
            {"type": "EVENT", "subject": "topic.acme.orders.>", "filter": {}},
            None,
        ),
        (
            {
                "type": "EVENT",
                "subject": "scheduler.*.failed.acme",
                "filter": {"/data/job": "x", "/a~1b": None, "/data/n": {"z": [1, 2.5], "a": "é"}},
            },
            {
                "type": "EVENT",
                "subject": "scheduler.*.failed.acme",
                "filter": {"/data/job": "x", "/a~1b": None, "/data/n": {"z": [1, 2.5], "a": "é"}},
            },
            None,
        ),
        (
            {"type": "CRON", "cron": "0 9 * * *", "dst": None},
            {"type": "CRON", "cron": "0 9 * * *"},
            "2026-01-01T08:00:00Z",
        ),
        (
            {"type": "CRON", "cron": "0 9 * * *", "dst": {"overlap": "BOTH"}},
            {"type": "CRON", "cron": "0 9 * * *", "dst": {"gap": "NEXT_VALID", "overlap": "BOTH"}},
            "2026-01-01T08:00:00Z",
        ),
        (
            {"type": "RRULE", "rrule": "FREQ=WEEKLY;BYDAY=MO;BYHOUR=9"},
            {"type": "RRULE", "rrule": "FREQ=WEEKLY;BYDAY=MO;BYHOUR=9", "startAt": None},
            "2026-01-05T08:00:00Z",
        ),
        (
            {"type": "RRULE", "rrule": "FREQ=DAILY", "startAt": "2026-01-03T09:30:00", "dst": {"gap": "SHIFT"}},
            {
                "type": "RRULE",
                "rrule": "FREQ=DAILY",
                "startAt": "2026-01-03T09:30:00",
                "dst": {"gap": "SHIFT", "overlap": "FIRST"},
            },
            "2026-01-03T08:30:00Z",
        ),
    ],
)
async def test_each_trigger_is_kept(
    acme: httpx.AsyncClient, job: Json, trigger: Json, shown: Json, next_fire: str | None
) -> None:
    made = (await acme.post("/schedules", json=a_schedule(tz="Europe/Berlin", trigger=trigger))).json()

    assert made["trigger"] == shown
    assert made["nextFireAt"] == next_fire


@pytest.mark.parametrize(
    ("wrong", "field", "message"),
    [
        ({"bogus": 1}, "bogus", "unknown"),
        ({"name": None}, "name", "Input should be a valid string"),
        ({"name": ""}, "name", "must have 1 to 200 characters"),
        ({"name": "x" * 201}, "name", "must have 1 to 200 characters"),
        ({"name": "a\x00b"}, "name", "must be printable characters"),
        ({"description": "a\x00b"}, "description", "must not contain NUL"),
        ({"description": "x" * 2001}, "description", "String should have at most 2000 characters"),
        ({"tz": "Europe/Atlantis"}, "tz", None),
        ({"enabled": "true"}, "enabled", "Input should be a valid boolean"),
        ({"labels": {"team": 1}}, "labels.team", "Input should be a valid string"),
        ({"labels": {"team": "x" * 64}}, "labels.team", "a label must have at most 63 printable characters"),
        ({"labels": {"x" * 64: "bi"}}, "labels." + "x" * 64, None),
        ({"labels": {str(n): "" for n in range(65)}}, "labels", "at most 64 labels"),
        ({"trigger": "daily"}, "trigger", None),
        ({"trigger": {}}, "trigger.type", "is required"),
        ({"trigger": {"type": "NOON"}}, "trigger.type", None),
        ({"trigger": {"type": "CRON"}}, "trigger.cron", "is required"),
        ({"trigger": {"type": "CRON", "cron": "0 25 * * *"}}, "trigger.cron", None),
        ({"trigger": {"type": "CRON", "cron": "0 9 * * *", "every": 1}}, "trigger.every", "unknown"),
        ({"trigger": {"type": "FIXED_RATE", "everySec": 0.5}}, "trigger.everySec", "must be at least 1 second"),
        ({"trigger": {"type": "FIXED_RATE", "everySec": 1e300}}, "trigger.everySec", None),
        ({"trigger": {"type": "FIXED_RATE", "everySec": "60"}}, "trigger.everySec", None),
        ({"trigger": {"type": "FIXED_RATE", "everySec": True}}, "trigger.everySec", None),
        (
            {"trigger": {"type": "FIXED_RATE", "everySec": 60, "anchorAt": "2026-01-01T00:00:00"}},
            "trigger.anchorAt",
            None,
        ),
        ({"trigger": {"type": "FIXED_DELAY"}}, "trigger.delaySec", "is required"),
        ({"trigger": {"type": "FIXED_DELAY", "delaySec": 0}}, "trigger.delaySec", None),
        ({"trigger": {"type": "FIXED_DELAY", "delaySec": 366 * 86_400 + 1}}, "trigger.delaySec", None),
        ({"trigger": {"type": "FIXED_DELAY", "delaySec": -1}}, "trigger.delaySec", None),
        ({"trigger": {"type": "EVENT"}}, "trigger.subject", "is required"),
        ({"trigger": {"type": "EVENT", "subject": "topic.acme."}}, "trigger.subject", None),
        ({"trigger": {"type": "EVENT", "subject": "topic.acme"}}, "trigger.subject", None),
        ({"trigger": {"type": "EVENT", "subject": "topic.globex.x"}}, "trigger.subject", None),
        ({"trigger": {"type": "EVENT", "subject": "topic.*.x"}}, "trigger.subject", None),
        ({"trigger": {"type": "EVENT", "subject": "topic.>"}}, "trigger.subject", None),
        ({"trigger": {"type": "EVENT", "subject": ">"}}, "trigger.subject", None),
        ({"trigger": {"type": "EVENT", "subject": "scheduler.run.failed.*"}}, "trigger.subject", None),
        ({"trigger": {"type": "EVENT", "subject": "scheduler.run.>"}}, "trigger.subject", None),
        ({"trigger": {"type": "EVENT", "subject": "scheduler.report.acme"}}, "trigger.subject", None),
        ({"trigger": {"type": "EVENT", "subject": "topic.acme.x", "filter": {"a": 1}}}, "trigger.filter", None),
        ({"trigger": {"type": "EVENT", "subject": "topic.acme.x", "filter": ["/a"]}}, "trigger.filter", None),
        (
            {"trigger": {"type": "EVENT", "subject": "topic.acme.x", "filter": {f"/{n}": n for n in range(101)}}},
            "trigger.filter",
            None,
        ),
        ({"trigger": {"type": "ONE_SHOT", "startAt": 1767225600}}, "trigger.startAt", None),
        ({"trigger": {"type": "ONE_SHOT", "startAt": "2026-01-01"}}, "trigger.startAt", None),
        (
            {"trigger": {"type": "ONE_SHOT", "startAt": "2026-02-30T00:00:00Z"}},
            "trigger.startAt",
            "there is no such time",
        ),
        ({"trigger": {"type": "ONE_SHOT", "startAt": "0001-01-01T00:00:00+14:00"}}, "trigger.startAt", None),
        ({"trigger": {"type": "ONE_SHOT", "startAt": "1900-01-01T00:00:00Z"}}, "trigger.startAt", None),
        ({"target": {"kind": "JOB"}}, "target.job", "is required"),
        ({"target": {"kind": "JOB", "job": "nightly"}}, "target.job", "there is no job named 'nightly'"),
        ({"target": {"kind": "JOB", "job": "a\x00b"}}, "target.job", None),
        ({"target": {"job": "reports.daily"}}, "target.kind", "is required"),
        ({"target": {"kind": "MAIL"}}, "target.kind", "must be one of 'JOB', 'EVENT', 'HTTP', 'QUEUE'"),
        ({"target": {"kind": ["JOB"]}}, "target.kind", "must be one of 'JOB', 'EVENT', 'HTTP', 'QUEUE'"),
        ({"misfire": {"policy": "NEVER"}}, "misfire.policy", None),
        ({"misfire": {"graceSec": -1}}, "misfire.graceSec", None),
        ({"misfire": {"catchupWindowSec": 1e300}}, "misfire.catchupWindowSec", None),
        ({"misfire": {"grace": 1}}, "misfire.grace", "unknown"),
        ({"startAt": "2026-01-01T00:00:00"}, "startAt", "must have an offset, as in 2026-01-31T09:00:00Z"),
        ({"startAt": "0001-01-01T00:00:00Z"}, "startAt", "must lie in the years 1970 to 9997"),
        ({"endAt": "tomorrow"}, "endAt", "must be an RFC 3339 time, as in 2026-01-31T09:00:00Z"),
        ({"startAt": "2026-02-01T00:00:00Z", "endAt": "2026-01-01T00:00:00Z"}, "endAt", "must be after startAt"),
        ({"overlap": "NEVER"}, "overlap", None),
        ({"overlap": None}, "overlap", None),
        ({"priority": 101}, "priority", None),
        ({"priority": -101}, "priority", None),
        ({"priority": 1.5}, "priority", None),
        ({"retry": {}}, "retry", "is the job's own"),
        ({"timeoutSec": 5}, "timeoutSec", "is the job's own"),
        ({"maxRuns": 0}, "maxRuns", "must be at least 1"),
        ({"maxRuns": 2**63}, "maxRuns", None),
        ({"maxRuns": 10**300}, "maxRuns", None),
        ({"maxRuns": 1.5}, "maxRuns", None),
    ],
)
async def test_a_bad_field_is_named_and_nothing_is_stored(
    served: Served, acme: httpx.AsyncClient, job: Json, wrong: Json, field: str, message: str | None
) -> None:
    answer = await acme.post("/schedules", json=a_schedule(**wrong))

    assert answer.status_code == 422
    assert list(errors(answer)) == [field]
    assert message in (None, errors(answer)[field])
    assert not served.store.tables.schedules


async def test_a_rule_that_can_never_fire_is_refused(acme: httpx.AsyncClient, job: Json) -> None:
    never = {"type": "RRULE", "rrule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}

    answer = await acme.post("/schedules", json=a_schedule(trigger=never))
    previewed = await acme.post("/schedules/preview", json={"trigger": never, "tz": "UTC"})

    assert (answer.status_code, list(errors(answer))) == (422, ["trigger.rrule"])
    assert (previewed.status_code, list(errors(previewed))) == (422, ["trigger.rrule"])


async def test_a_patch_gives_another_rule(acme: httpx.AsyncClient, schedule: Json) -> None:
    rule = {"type": "RRULE", "rrule": "FREQ=DAILY;BYHOUR=6"}

    answer = await acme.patch(f"/schedules/{schedule['id']}", json={"trigger": rule})

    assert answer.json()["trigger"] == {**rule, "startAt": None}
    assert answer.json()["nextFireAt"] == "2026-01-01T06:00:00Z"


@pytest.mark.parametrize("overlap", ["ALLOW", "SKIP", "QUEUE", "QUEUE_ONE", "REPLACE"])
async def test_how_runs_overlap_and_how_urgent_they_are_is_kept(
    acme: httpx.AsyncClient, job: Json, overlap: str
) -> None:
    made = (await acme.post("/schedules", json=a_schedule(overlap=overlap, priority=42))).json()

    assert (made["overlap"], made["priority"]) == (overlap, 42)


async def test_under_skip_a_run_that_goes_forbids_another(acme: httpx.AsyncClient, job: Json) -> None:
    schedule = (await acme.post("/schedules", json=a_schedule(overlap="SKIP", priority=9))).json()

    first = await acme.post(f"/schedules/{schedule['id']}/trigger")
    second = await acme.post(f"/schedules/{schedule['id']}/trigger")

    assert (first.status_code, first.json()["priority"]) == (201, 9)
    assert (second.status_code, second.json()["type"]) == (409, "urn:rota:error:overlap")
    assert len((await acme.get("/runs")).json()["items"]) == 1


async def test_all_faults_are_told_at_once(acme: httpx.AsyncClient, job: Json) -> None:
    answer = await acme.post("/schedules", json={"trigger": {"type": "CRON"}, "jitterSec": -5, "x": 1})

    assert errors(answer) == {
        "name": "is required",
        "trigger.cron": "is required",
        "target": "is required",
        "jitterSec": "Input should be greater than or equal to 0",
        "x": "unknown",
    }


async def test_a_name_is_taken_until_its_schedule_is_deleted(acme: httpx.AsyncClient, schedule: Json) -> None:
    taken = await acme.post("/schedules", json=a_schedule())
    deleted = await acme.delete(f"/schedules/{schedule['id']}")
    free = await acme.post("/schedules", json=a_schedule())

    assert (taken.status_code, taken.json()["type"]) == (409, "urn:rota:error:name-taken")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert free.status_code == 201


async def test_a_batch_is_made_in_order(acme: httpx.AsyncClient, job: Json) -> None:
    answer = await acme.post("/schedules/batch", json=[a_schedule(name=f"s{n}") for n in range(3)])

    assert answer.status_code == 201
    assert [item["name"] for item in answer.json()["items"]] == ["s0", "s1", "s2"]


async def test_a_batch_is_all_or_none_and_each_fault_has_its_place(
    served: Served, acme: httpx.AsyncClient, job: Json
) -> None:
    cases = [
        ([a_schedule(name="a"), a_schedule(name="b", bogus=1), a_schedule(name="")], {"1.bogus", "2.name"}),
        ([a_schedule(name="a"), a_schedule(trigger={"type": "CRON", "cron": "x"})], {"1.trigger.cron"}),
        (
            [a_schedule(name="a", tz="Nowhere"), a_schedule(target={"kind": "JOB", "job": "no"})],
            {"0.tz", "1.target.job"},
        ),
        ([5], {"0"}),
    ]
    for batch, fields in cases:
        answer = await acme.post("/schedules/batch", json=batch)
        assert (answer.status_code, set(errors(answer))) == (422, fields)
    assert not served.store.tables.schedules


async def test_a_schedule_is_disabled_and_enabled(acme: httpx.AsyncClient, schedule: Json) -> None:
    place = f"/schedules/{schedule['id']}"

    disabled = await acme.post(f"{place}/disable", json={"reason": "holidays", "until": None})
    enabled = await acme.post(f"{place}/enable", json={"catchUp": "NONE"})
    again = await acme.post(f"{place}/enable")

    assert (disabled.status_code, disabled.json()["enabled"], disabled.headers["etag"]) == (200, False, '"2"')
    assert disabled.json()["nextFireAt"] is None
    assert (enabled.json()["enabled"], enabled.json()["version"]) == (True, 3)
    assert again.json()["version"] == 3


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("enable", {"catchUp": "SOME"}, "catchUp"),
        ("disable", {"until": "2026-01-01T00:00:00Z"}, "until"),
        ("disable", {"why": "x"}, "why"),
        ("disable", {"reason": "\x00"}, "reason"),
        ("trigger", {"runAt": "2026-01-01T00:00:00Z"}, "runAt"),
    ],
)
async def test_a_bad_field_of_an_order_is_named(
    acme: httpx.AsyncClient, schedule: Json, path: str, body: Json, field: str
) -> None:
    answer = await acme.post(f"/schedules/{schedule['id']}/{path}", json=body)

    assert (answer.status_code, list(errors(answer))) == (422, [field])


@pytest.mark.parametrize(
    ("body", "payload"), [(None, {"n": 1}), ({}, {"n": 1}), ({"payload": 5}, 5), ({"payload": None}, None)]
)
async def test_a_schedule_is_fired_by_hand(acme: httpx.AsyncClient, job: Json, body: Json, payload: Json) -> None:
    target = {"kind": "JOB", "job": "reports.daily", "payload": {"n": 1}}
    made = (await acme.post("/schedules", json=a_schedule(target=target))).json()

    answer = await acme.post(f"/schedules/{made['id']}/trigger", **({} if body is None else {"json": body}))

    run = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/api/v1/runs/{run['id']}"
    assert (run["cause"], run["scheduleId"], run["payload"]) == ("MANUAL", made["id"], payload)
    assert (await acme.get(answer.headers["location"].removeprefix("/api/v1"))).json() == run


async def test_preview_asks_the_trigger_and_stores_nothing(served: Served, acme: httpx.AsyncClient) -> None:
    said = {"trigger": {"type": "CRON", "cron": "30 2 * * *"}, "tz": "Europe/Berlin", "from": "2026-03-28T00:00:00Z"}

    answer = await acme.post("/schedules/preview", json=said | {"count": 2})

    assert answer.status_code == 200
    assert answer.json() == {
        "fires": [
            {
                "at": "2026-03-28T01:30:00Z",
                "scheduledFor": "2026-03-28T01:30:00Z",
                "local": "2026-03-28T02:30:00+01:00",
            },
            {
                "at": "2026-03-29T01:00:00Z",
                "scheduledFor": "2026-03-29T01:00:00Z",
                "local": "2026-03-29T03:00:00+02:00",
                "note": "02:30 does not exist in Europe/Berlin on 2026-03-29: due at 03:00, the first instant after the gap",
            },
        ]
    }
    assert not served.store.tables.schedules


async def test_preview_begins_now_and_shows_ten(acme: httpx.AsyncClient) -> None:
    answer = await acme.post("/schedules/preview", json={"trigger": {"type": "CRON", "cron": "* * * * *"}, "tz": "UTC"})

    fires = answer.json()["fires"]
    assert len(fires) == 10
    assert fires[0]["at"] == "2026-01-01T00:00:00Z"
    assert fires[0]["local"] == "2026-01-01T00:00:00+00:00"


async def test_preview_is_not_cut_off_by_its_own_creation(acme: httpx.AsyncClient) -> None:
    said = {"trigger": {"type": "CRON", "cron": "0 0 * * *"}, "tz": "UTC", "from": "2020-01-01T00:00:00Z", "count": 1}

    assert (await acme.post("/schedules/preview", json=said)).json()["fires"][0]["at"] == "2020-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"trigger": {"type": "CRON", "cron": "x"}}, "trigger.cron"),
        ({"tz": "Nowhere"}, "tz"),
        ({"count": 0}, "count"),
        ({"count": 1001}, "count"),
        ({"from": "2026-01-01"}, "from"),
        ({"calendar": {"calendarId": "x"}}, "calendar.calendarId"),
        ({"calendar": {"calendarId": str(UUID(int=7))}}, "calendar.calendarId"),
        ({"calendar": {"onClosed": "SKIP"}}, "calendar.calendarId"),
        ({"jitterSec": 5}, "jitterSec"),
        ({"scheduleId": "x"}, "scheduleId"),
        ({"until": "x"}, "until"),
        ({"startAt": "2026-02-01T00:00:00Z", "endAt": "2026-01-01T00:00:00Z"}, "endAt"),
    ],
)
async def test_a_bad_field_of_a_preview_is_named(acme: httpx.AsyncClient, wrong: Json, field: str) -> None:
    said = {"trigger": {"type": "CRON", "cron": "0 0 * * *"}, "tz": "UTC"}

    answer = await acme.post("/schedules/preview", json=said | wrong)

    assert (answer.status_code, list(errors(answer))) == (422, [field])


@pytest.mark.parametrize("moment", ["1970-01-01T00:00:00Z", "9997-12-31T23:59:59.999999Z"])
@pytest.mark.parametrize(
    "trigger",
    [
        {"type": "CRON", "cron": "0 0 29 2 1"},
        {"type": "FIXED_RATE", "everySec": 3_000_000_000},
        {"type": "FIXED_RATE", "everySec": 1, "anchorAt": "1970-01-01T00:00:00Z"},
        {"type": "ONE_SHOT", "startAt": "9997-12-31T23:59:59"},
    ],
)
async def test_the_ends_of_time_can_be_asked_about(acme: httpx.AsyncClient, moment: str, trigger: Json) -> None:
    for bound in ("from", "startAt", "endAt"):
        said = {"trigger": trigger, "tz": "Pacific/Apia", bound: moment, "count": 2}
        assert (await acme.post("/schedules/preview", json=said)).status_code == 200


async def test_the_next_fires_of_a_schedule(acme: httpx.AsyncClient, schedule: Json) -> None:
    place = f"/schedules/{schedule['id']}/fires"

    next_two = await acme.get(place, params={"count": 2})
    later = await acme.get(place, params={"from": "2026-02-01T10:00:00+01:00", "count": 1})
    wrong = await acme.get(place, params={"from": "x", "count": 0, "limit": 5})

    assert [fire["at"] for fire in next_two.json()["fires"]] == ["2026-01-01T09:00:00Z", "2026-01-02T09:00:00Z"]
    assert [fire["at"] for fire in later.json()["fires"]] == ["2026-02-01T09:00:00Z"]
    assert (wrong.status_code, set(errors(wrong))) == (422, {"from", "count", "limit"})


async def test_misses_are_listed_latest_first_in_pages(served: Served, acme: httpx.AsyncClient, schedule: Json) -> None:
    async with InMemoryBegin(served.store)() as work:
        for n in range(3):
            first = NOON + timedelta(hours=n)
            work.misses.add(Miss(ACME, ScheduleId(UUID(schedule["id"])), Span(first, first + MINUTE, 2), "SKIP", NOON))
        await work.commit()
    place = f"/schedules/{schedule['id']}/misses"

    first_page = (await acme.get(place, params={"limit": 2})).json()
    second_page = (await acme.get(place, params={"limit": 2, "cursor": first_page["nextCursor"]})).json()

    assert [miss["first"] for miss in first_page["items"]] == ["2026-03-02T14:00:00Z", "2026-03-02T13:00:00Z"]
    assert second_page["items"] == [
        {
            "first": "2026-03-02T12:00:00Z",
            "last": "2026-03-02T12:01:00Z",
            "count": 2,
            "rule": "SKIP",
            "decidedAt": "2026-03-02T12:00:00Z",
        }
    ]
    assert second_page["nextCursor"] is None
