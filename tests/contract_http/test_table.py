"""The contract's HTTP table, a class for each of its lines.

What a unit test shows in depth is only touched here: over a socket, on Postgres and NATS, so that each line stands or
falls with a test. The event log's line has its own tests.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from tests.contract_http.conftest import Caller, Json, a_schedule, expect, faults
from tests.e2e.test_up import await_true

HOURLY = {"type": "CRON", "cron": "0 * * * *"}
A_DELIVERY = {"kind": "EVENT", "eventTopic": "orders.due"}
UNKNOWN = "0197c0de-0000-7000-8000-000000000000"
A_WORKER = {
    "name": "box-7",
    "jobs": [
        {"name": "reports.daily"},
        {"name": "mail", "queue": "m", "capabilities": ["smtp"], "retry": {"maxAttempts": 9}, "timeoutSec": 5},
    ],
    "capabilities": ["smtp"],
    "slots": 3,
}
UNREACHABLE = {"kind": "HTTP", "http": {"url": "http://127.0.0.1:9/"}}


def text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def names(page: Json) -> list[str]:
    return [item["name"] for item in page["items"]]


def ids(page: Json) -> list[str]:
    return [item["id"] for item in page["items"]]


class TestSchedules:
    """POST, GET /schedules · GET, PATCH, DELETE /schedules/{id}"""

    def test_one_is_made_read_changed_and_deleted(self, api: Caller, job: Json) -> None:
        made = api.posts("/schedules", a_schedule())
        place = f"/schedules/{made['id']}"

        changed = api.patches(place, {"labels": {"team": "bi"}})

        assert changed == made | {"labels": {"team": "bi"}, "version": 2, "updatedAt": changed["updatedAt"]}
        assert api.gets(place) == changed
        assert expect(api.delete(place), 204) is None
        api.gets(place, 404)

    def test_the_list_filters_by_enabled_name_label_and_kind(self, api: Caller, job: Json) -> None:
        api.posts("/schedules", a_schedule("day", labels={"team": "bi", "tier": "1"}))
        api.posts("/schedules", a_schedule("daylight", labels={"team": "core"}, enabled=False))
        api.posts("/schedules", a_schedule("told", target=A_DELIVERY))

        assert names(api.gets("/schedules")) == ["told", "daylight", "day"]
        assert names(api.gets("/schedules", enabled="false")) == ["daylight"]
        assert names(api.gets("/schedules", name="day")) == ["daylight", "day"]
        assert names(api.gets("/schedules", label=["team:bi", "tier:1"])) == ["day"]
        assert names(api.gets("/schedules", kind="EVENT")) == ["told"]

    def test_a_deleted_name_is_free_again_and_history_stays(self, api: Caller, job: Json) -> None:
        old = api.posts("/schedules", a_schedule())
        run = api.posts(f"/schedules/{old['id']}/trigger")
        api.posts("/schedules", a_schedule(), 409)
        api.delete(f"/schedules/{old['id']}")

        new = api.posts("/schedules", a_schedule())

        assert new["id"] != old["id"]
        assert ids(api.gets("/runs", scheduleId=old["id"])) == [run["id"]]
        assert api.gets(f"/runs/{run['id']}")["scheduleId"] == old["id"]
        assert api.gets(f"/runs/{run['id']}/events")["items"]


class TestScheduleBatch:
    """POST /schedules/batch"""

    def test_all_are_made_in_order(self, api: Caller, job: Json) -> None:
        made = api.posts("/schedules/batch", [a_schedule("b"), a_schedule("a")])

        assert names(made) == ["b", "a"]

    def test_none_is_made_if_one_is_bad_and_the_fault_names_its_place(self, api: Caller, job: Json) -> None:
        bad = [a_schedule(str(n)) for n in range(18)]
        bad[17]["trigger"] = {"type": "CRON", "cron": "x"}

        assert set(faults(api.posts("/schedules/batch", bad, 422))) == {"17.trigger.cron"}
        assert api.gets("/schedules")["items"] == []


class TestEnableDisableSkip:
    """POST /schedules/{id}/enable · /disable · /skip"""

    @pytest.fixture
    def place(self, api: Caller, job: Json) -> str:
        return f"/schedules/{api.posts('/schedules', a_schedule(trigger=HOURLY))['id']}"

    def test_disabled_until_an_instant(self, api: Caller, place: str) -> None:
        until = text(datetime.now(UTC) + timedelta(days=1))

        disabled = api.posts(f"{place}/disable", {"until": until, "reason": "audit"}, 200)

        assert (disabled["enabled"], disabled["disabledUntil"]) == (False, until)

    @pytest.mark.parametrize(
        "body", [None, {}, {"catchUp": "NONE"}, {"catchUp": "LAST"}, {"catchUp": "ALL", "reason": "x"}]
    )
    def test_enabled_again(self, api: Caller, place: str, body: Json) -> None:
        api.posts(f"{place}/disable", status=200)

        enabled = api.posts(f"{place}/enable", body, 200)

        assert (enabled["enabled"], enabled["disabledUntil"]) == (True, None)

    def test_the_next_fires_are_skipped_by_count(self, api: Caller, place: str) -> None:
        upcoming = api.gets(f"{place}/fires", count=3)["fires"]

        skipped = api.posts(f"{place}/skip", {"count": 2, "reason": "holidays"}, 200)

        assert [due["dueAt"] for due in skipped["skipped"]] == [fire["at"] for fire in upcoming[:2]]
        assert skipped["nextFireAt"] == upcoming[2]["at"]

    def test_one_fire_is_skipped_by_its_instant(self, api: Caller, place: str) -> None:
        upcoming = api.gets(f"{place}/fires", count=3)["fires"]

        api.posts(f"{place}/skip", {"at": upcoming[1]["at"]}, 200)

        left = api.gets(f"{place}/fires", count=2)["fires"]
        assert [fire["at"] for fire in left] == [upcoming[0]["at"], upcoming[2]["at"]]


class TestTrigger:
    """POST /schedules/{id}/trigger"""

    def test_it_fires_now_with_another_payload(self, api: Caller, job: Json) -> None:
        schedule = api.posts("/schedules", a_schedule())

        run = api.posts(f"/schedules/{schedule['id']}/trigger", {"payload": {"n": 2}})

        assert (run["cause"], run["scheduleId"], run["payload"]) == ("MANUAL", schedule["id"], {"n": 2})

    def test_under_overlap_skip_with_a_run_going_it_is_409(self, api: Caller, job: Json) -> None:
        place = f"/schedules/{api.posts('/schedules', a_schedule(overlap='SKIP'))['id']}"
        api.posts(f"{place}/trigger")

        assert api.posts(f"{place}/trigger", status=409)["type"] == "urn:rota:error:overlap"


class TestBackfill:
    """POST /schedules/{id}/backfill · GET /backfills/{id} · POST /backfills/{id}/cancel"""

    @pytest.fixture
    def schedule(self, api: Caller) -> Json:
        """It fires each second, and disabled it has due times that have no run."""
        trigger = {"type": "FIXED_RATE", "everySec": 1}
        schedule = api.posts("/schedules", a_schedule(trigger=trigger, target=A_DELIVERY, enabled=False))
        created = datetime.fromisoformat(schedule["createdAt"])
        await_true(lambda: datetime.now(UTC) > created + timedelta(seconds=1.2))
        return schedule

    def test_it_makes_the_runs_that_are_missing(self, api: Caller, schedule: Json) -> None:
        place = f"/schedules/{schedule['id']}/backfill"
        span = {"from": schedule["createdAt"], "to": text(datetime.now(UTC) - timedelta(milliseconds=20))}

        would = api.posts(place, span | {"dryRun": True}, 200)
        asked = api.posts(place, span | {"maxConcurrent": 1}, 202)

        assert would == {"count": asked["count"]}
        assert asked["count"] >= 1
        backfill = f"/backfills/{asked['id']}"
        await_true(lambda: api.gets(backfill)["made"] == asked["count"])
        assert {run["cause"] for run in api.gets("/runs", scheduleId=schedule["id"])["items"]} == {"BACKFILL"}
        await_true(lambda: api.gets(backfill)["finishedAt"])
        assert api.posts(f"{backfill}/cancel", status=409)["type"] == "urn:rota:error:transition"

    def test_one_that_goes_on_is_cancelled(self, api: Caller, job: Json) -> None:
        schedule = api.posts("/schedules", a_schedule(trigger={"type": "FIXED_RATE", "everySec": 1}, enabled=False))
        created = datetime.fromisoformat(schedule["createdAt"])
        await_true(lambda: datetime.now(UTC) > created + timedelta(seconds=1.2))
        span = {"from": schedule["createdAt"], "to": text(datetime.now(UTC) - timedelta(milliseconds=20))}
        asked = api.posts(f"/schedules/{schedule['id']}/backfill", span, 202)

        cancelled = api.posts(f"/backfills/{asked['id']}/cancel", {"reason": "wrong month"}, 202)

        assert (cancelled["state"], cancelled["reason"]) == ("CANCELLED", "wrong month")

    def test_its_end_is_at_most_now(self, api: Caller, schedule: Json) -> None:
        span = {"from": schedule["createdAt"], "to": text(datetime.now(UTC) + timedelta(hours=1))}

        assert set(faults(api.posts(f"/schedules/{schedule['id']}/backfill", span, 422))) == {"to"}


class TestFiresMissesExplainEvents:
    """GET /schedules/{id}/fires · /misses · /explain?at= · /events"""

    def test_its_next_fires_are_those_of_a_preview(self, api: Caller, job: Json) -> None:
        schedule = api.posts("/schedules", a_schedule())
        asked = {"trigger": schedule["trigger"], "tz": "UTC", "from": "2030-01-01T00:00:00Z", "count": 3}

        fires = api.gets(f"/schedules/{schedule['id']}/fires", **{"from": "2030-01-01T00:00:00Z", "count": 3})

        assert fires == api.posts("/schedules/preview", asked, 200)
        assert [fire["at"] for fire in fires["fires"]] == [f"2030-01-0{day}T09:00:00Z" for day in (1, 2, 3)]

    def test_a_miss_tells_what_did_not_run_and_why(self, api: Caller) -> None:
        past = {"type": "ONE_SHOT", "startAt": "2020-01-01T00:00:00Z"}
        late = a_schedule(trigger=past, target=A_DELIVERY, misfire={"policy": "SKIP"})
        place = f"/schedules/{api.posts('/schedules', late)['id']}"

        await_true(lambda: api.gets(f"{place}/misses")["items"])

        (miss,) = api.gets(f"{place}/misses")["items"]
        assert miss.keys() == {"first", "last", "count", "rule", "decidedAt"}
        assert (miss["first"], miss["last"], miss["count"], miss["rule"]) == (
            "2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z", 1, "SKIP",
        )  # fmt: skip

    def test_an_instant_is_explained_in_order(self, api: Caller, job: Json) -> None:
        place = f"/schedules/{api.posts('/schedules', a_schedule())['id']}"

        will = api.gets(f"{place}/explain", at="2030-01-01T09:00:00Z")
        not_so = api.gets(f"{place}/explain", at="2030-01-01T09:01:00Z")

        assert (will["scheduledFor"], will["dueAt"]) == ("2030-01-01T09:00:00Z",) * 2
        assert all(step.keys() == {"rule", "outcome", "detail"} for step in will["items"])
        assert not_so["scheduledFor"] is None
        api.gets(f"{place}/explain", 422)

    def test_its_history_is_told_in_order(self, api: Caller, job: Json) -> None:
        place = f"/schedules/{api.posts('/schedules', a_schedule())['id']}"
        api.posts(f"{place}/disable", status=200)

        events = api.gets(f"{place}/events")["items"]

        assert [event["type"] for event in events] == ["scheduler.schedule.created", "scheduler.schedule.disabled"]
        assert [event["aggregateseq"] for event in events] == [1, 2]


class TestPreview:
    """POST /schedules/preview"""

    def test_it_answers_the_first_fires_from_then_on(self, api: Caller) -> None:
        asked = {
            "trigger": {"type": "CRON", "cron": "30 2 * * *"},
            "tz": "Europe/Berlin",
            "from": "2030-03-30T00:00:00Z",
            "count": 2,
        }

        first, second = api.posts("/schedules/preview", asked, 200)["fires"]

        assert first == {
            "at": "2030-03-30T01:30:00Z", "scheduledFor": "2030-03-30T01:30:00Z", "local": "2030-03-30T02:30:00+01:00",
        }  # fmt: skip
        assert (second["at"], second["local"]) == ("2030-03-31T01:00:00Z", "2030-03-31T03:00:00+02:00")
        assert second["note"]

    def test_ten_by_default_and_a_thousand_at_most(self, api: Caller) -> None:
        asked = {"trigger": HOURLY, "tz": "UTC"}

        assert len(api.posts("/schedules/preview", asked, 200)["fires"]) == 10
        assert len(api.posts("/schedules/preview", asked | {"count": 1_000}, 200)["fires"]) == 1_000
        assert set(faults(api.posts("/schedules/preview", asked | {"count": 1_001}, 422))) == {"count"}

    def test_by_a_calendar_with_jitter_and_bounds(self, api: Caller) -> None:
        calendar = api.posts("/calendars", {"name": "weekdays"})
        schedule = api.posts("/schedules", a_schedule(target=A_DELIVERY))
        asked = {
            "trigger": {"type": "CRON", "cron": "0 9 * * *"},
            "tz": "UTC",
            "calendar": {"calendarId": calendar["id"], "onClosed": "NEXT_OPEN"},
            "jitterSec": 60,
            "scheduleId": schedule["id"],
            "startAt": "2030-01-05T00:00:00Z",
            "endAt": "2030-01-06T00:00:00Z",
            "from": "2030-01-01T00:00:00Z",
        }

        (fire,) = api.posts("/schedules/preview", asked, 200)["fires"]

        assert fire["scheduledFor"] == "2030-01-05T09:00:00Z"
        assert fire["at"].startswith("2030-01-07T09:0")

    def test_it_stores_nothing(self, api: Caller) -> None:
        api.posts("/schedules/preview", {"trigger": HOURLY, "tz": "UTC"}, 200)

        assert api.gets("/schedules")["items"] == []


class TestJobs:
    """POST, GET /jobs · GET, PATCH, DELETE /jobs/{id}"""

    def test_one_is_made_read_changed_and_deleted(self, api: Caller) -> None:
        made = api.posts("/jobs", {"name": "mail.send", "queue": "mail"})
        place = f"/jobs/{made['id']}"

        changed = api.patches(place, {"timeoutSec": 5})

        assert (changed["timeoutSec"], changed["version"]) == (5, 2)
        assert api.gets(place) == changed
        assert expect(api.delete(place), 204) is None
        api.gets(place, 404)
        api.posts("/jobs", {"name": "mail.send"})

    def test_the_list_filters_by_name_and_queue(self, api: Caller) -> None:
        for name, queue in (("mail.send", "mail"), ("mail.sort", "default"), ("pay", "mail")):
            api.posts("/jobs", {"name": name, "queue": queue})

        assert names(api.gets("/jobs", name="mail.")) == ["mail.sort", "mail.send"]
        assert names(api.gets("/jobs", queue="mail")) == ["pay", "mail.send"]

    def test_one_in_use_cannot_be_deleted(self, api: Caller, job: Json) -> None:
        api.posts("/schedules", a_schedule())

        assert expect(api.delete(f"/jobs/{job['id']}"), 409)["type"] == "urn:rota:error:job-in-use"


class TestMakingRuns:
    """POST /runs · POST /runs/batch"""

    def test_one_is_asked_for_with_all_that_can_be_said(self, api: Caller, job: Json) -> None:
        asked = {
            "job": "reports.daily",
            "payload": {"kind": "full"},
            "runAt": "2030-01-31T09:00:00Z",
            "dedupeKey": "once",
            "priority": 7,
            "labels": {"by": "ops"},
        }

        run = api.posts("/runs", asked)

        assert (run["cause"], run["state"], run["scheduledFor"], run["dueAt"]) == (
            "API", "PENDING", "2030-01-31T09:00:00Z", "2030-01-31T09:00:00Z",
        )  # fmt: skip
        assert {name: run[name] for name in ("job", "payload", "dedupeKey", "priority", "labels")} == {
            name: asked[name] for name in ("job", "payload", "dedupeKey", "priority", "labels")
        }

    def test_a_held_dedupe_key_answers_the_run_that_holds_it(self, api: Caller, job: Json) -> None:
        asked = {"job": "reports.daily", "dedupeKey": "once", "runAt": "2030-01-31T09:00:00Z"}
        run = api.posts("/runs", asked)

        assert api.posts("/runs", asked, 200) == run
        batch = api.posts("/runs/batch", [{"job": "reports.daily"}, asked])
        assert batch["items"][1]["id"] == run["id"]
        api.posts(f"/runs/{run['id']}/cancel", status=202)
        assert api.posts("/runs", asked)["id"] != run["id"]


class TestListingRuns:
    """GET /runs · GET /runs/{id} · GET /runs/{id}/events"""

    def test_the_list_filters_by_all_that_the_contract_names(self, api: Caller, job: Json) -> None:
        schedule = api.posts("/schedules", a_schedule())
        by_hand = api.posts(f"/schedules/{schedule['id']}/trigger")
        later = api.posts("/runs", {"job": "reports.daily", "runAt": "2030-01-01T00:00:00Z", "labels": {"a": "1"}})

        for query, found in (
            ({}, [later, by_hand]),
            ({"scheduleId": schedule["id"]}, [by_hand]),
            ({"job": "reports.daily"}, [later, by_hand]),
            ({"job": "reports"}, []),
            ({"workerId": UNKNOWN}, []),
            ({"state": "PENDING"}, [later]),
            ({"state": ["PENDING", "QUEUED"]}, [later, by_hand]),
            ({"cause": "MANUAL"}, [by_hand]),
            ({"label": "a:1"}, [later]),
            ({"from": "2030-01-01T00:00:00Z"}, [later]),
            ({"to": "2030-01-01T00:00:00Z"}, [by_hand]),
        ):
            assert ids(api.gets("/runs", **query)) == [run["id"] for run in found], query

    def test_one_run_shows_its_attempts_and_its_history(self, api: Caller) -> None:
        schedule = api.posts("/schedules", a_schedule(target=A_DELIVERY))
        run = api.posts(f"/schedules/{schedule['id']}/trigger")
        place = f"/runs/{run['id']}"

        await_true(lambda: api.gets(place)["state"] == "SUCCEEDED")

        run = api.gets(place)
        assert [(one["attempt"], one["outcome"]) for one in run["attempts"]] == [(1, "SUCCEEDED")]
        types = [event["type"] for event in api.gets(f"{place}/events")["items"]]
        assert (types[0], types[-1]) == ("scheduler.run.created", "scheduler.run.succeeded")


class TestEndingRuns:
    """POST /runs/{id}/retry · /cancel · POST /runs/redrive"""

    def test_cancel_is_202(self, api: Caller, job: Json) -> None:
        run = api.posts("/runs", {"job": "reports.daily", "runAt": "2030-01-31T09:00:00Z"})

        cancelled = api.posts(f"/runs/{run['id']}/cancel", {"reason": "not needed"}, 202)

        assert (cancelled["state"], cancelled["reason"]) == ("CANCELLED", "not needed")
        assert api.posts(f"/runs/{run['id']}/cancel", status=409)["type"] == "urn:rota:error:transition"

    def test_retry_makes_a_new_run(self, api: Caller, job: Json) -> None:
        run = api.posts("/runs", {"job": "reports.daily", "runAt": "2030-01-31T09:00:00Z"})
        api.posts(f"/runs/{run['id']}/retry", status=409)
        api.posts(f"/runs/{run['id']}/cancel", status=202)

        again = api.posts(f"/runs/{run['id']}/retry", {"payload": [1]})

        assert again["id"] != run["id"]
        assert (again["cause"], again["retryOf"], again["scheduledFor"], again["payload"]) == (
            "RETRY", run["id"], run["scheduledFor"], [1],
        )  # fmt: skip

    def test_redrive_makes_new_runs_of_dead_letters(self, api: Caller) -> None:
        dying = a_schedule(target=UNREACHABLE, retry={"maxAttempts": 1})
        schedule = api.posts("/schedules", dying)
        dead = api.posts(f"/schedules/{schedule['id']}/trigger")
        await_true(lambda: api.gets(f"/runs/{dead['id']}")["state"] == "DEAD")
        wanted = {"filter": {"scheduleId": schedule["id"]}}

        would = api.posts("/runs/redrive", wanted | {"dryRun": True}, 200)
        asked = api.posts("/runs/redrive", wanted, 202)

        assert (would["count"], asked["count"]) == (1, 1)
        await_true(lambda: api.gets(f"/redrives/{asked['id']}")["made"] == 1)
        (again,) = api.gets("/runs", cause="RETRY")["items"]
        assert again["retryOf"] == dead["id"]


class TestWorkers:
    """POST /workers/register · /workers/{id}/heartbeat · /workers/{id}/drain · GET /workers · GET /workers/{id}"""

    @pytest.fixture
    def worker_id(self, api: Caller) -> str:
        worker_id: str = api.posts("/workers/register", A_WORKER)["workerId"]
        return worker_id

    def test_a_worker_is_told_where_its_work_lies(self, api: Caller) -> None:
        told = api.posts("/workers/register", A_WORKER)

        assert told.keys() >= {"workerId", "natsUrl", "credentials", "heartbeatSec", "lanes"}
        assert [lane.keys() for lane in told["lanes"]] == [{"job", "stream", "consumer"}] * 2
        (mail,) = api.gets("/jobs", queue="m")["items"]
        assert (mail["capabilities"], mail["retry"]["maxAttempts"], mail["timeoutSec"]) == (["smtp"], 9, 5)

    def test_a_worker_looks_as_the_contract_says(self, api: Caller, worker_id: str) -> None:
        worker = api.gets(f"/workers/{worker_id}")

        assert api.gets("/workers")["items"] == [worker]
        assert worker.keys() - {"tenantId"} == {
            "id", "name", "state", "jobs", "capabilities", "slots", "running", "lastSeenAt",
        }  # fmt: skip
        assert (worker["name"], worker["state"], worker["slots"], worker["running"]) == ("box-7", "ONLINE", 3, 0)

    def test_a_heartbeat_over_http_takes_and_answers_what_the_bus_one_does(self, api: Caller, worker_id: str) -> None:
        beat = {
            "workerId": worker_id,
            "at": "2030-01-01T00:00:00Z",
            "slots": 3,
            "running": [],
            "reportSeq": {"stream": "2030-01-01T00:00:00Z", "seq": 0},
            "draining": False,
        }

        assert api.posts(f"/workers/{worker_id}/heartbeat", beat, 200) == []
        orders = api.posts(f"/workers/{UNKNOWN}/heartbeat", beat | {"workerId": UNKNOWN}, 200)
        assert [order["kind"] for order in orders] == ["REGISTER"]

    def test_a_worker_drains(self, api: Caller, worker_id: str) -> None:
        assert api.posts(f"/workers/{worker_id}/drain", status=202)["state"] == "DRAINING"


class TestCalendars:
    """POST, GET /calendars · GET, PATCH, DELETE /calendars/{id} · GET /calendars/{id}/days?from&to"""

    def test_one_is_made_read_changed_and_deleted(self, api: Caller) -> None:
        made = api.posts("/calendars", {"name": "DE"})
        place = f"/calendars/{made['id']}"

        changed = api.patches(place, {"closures": [{"from": "2030-01-07", "to": "2030-01-08", "reason": "moving"}]})

        assert changed["version"] == 2
        assert api.gets(place) == {name: value for name, value in changed.items() if name != "affected"}
        assert names(api.gets("/calendars", name="D")) == ["DE"]
        days = api.gets(f"{place}/days", **{"from": "2030-01-05", "to": "2030-01-09"})["days"]
        assert [day["open"] for day in days] == [False, False, False, False, True]
        assert days[2] == {"date": "2030-01-07", "open": False, "reason": "moving"}
        assert expect(api.delete(place), 204) is None
        api.gets(place, 404)
        api.posts("/calendars", {"name": "DE"})

    def test_one_in_use_cannot_be_deleted(self, api: Caller) -> None:
        calendar = api.posts("/calendars", {"name": "DE"})
        api.posts("/schedules", a_schedule(target=A_DELIVERY, calendar={"calendarId": calendar["id"]}))

        answer = expect(api.delete(f"/calendars/{calendar['id']}"), 409)

        assert answer["type"] == "urn:rota:error:calendar-in-use"


class TestHealth:
    """GET /health · /ready · /live · /metrics · /asyncapi.json"""

    def test_health_tells_of_each_part(self, api: Caller) -> None:
        health = api.gets("/health")

        assert health["status"] in ("UP", "DEGRADED")
        assert health["checks"].keys() >= {"database", "bus", "leader", "relay", "workers", "jobs"}
        assert all(check["status"] in ("UP", "DEGRADED", "DOWN") for check in health["checks"].values())

    @pytest.mark.parametrize("path", ["/ready", "/live"])
    def test_probes_need_no_token(self, a_caller: Callable[..., Caller], path: str) -> None:
        assert a_caller(None).gets(path) == {"status": "UP"}

    def test_metrics_are_prometheus_text(self, api: Caller) -> None:
        answer = api.get("/metrics")

        assert answer.headers["content-type"].startswith("text/plain")
        assert "\n# TYPE rota_" in answer.text

    def test_what_is_said_on_the_bus_is_described(self, api: Caller) -> None:
        assert api.gets("/asyncapi.json")["asyncapi"].startswith("3.")


@pytest.mark.parametrize("prefix", ["/api/v1", ""])
def test_the_api_is_described_at_both_places(api: Caller, a_caller: Callable[..., Caller], prefix: str) -> None:
    """OpenAPI 3.1 at /openapi.json, pages at /docs."""
    anybody = a_caller(None, base=prefix)

    document: httpx.Response = anybody.get("/openapi.json")

    assert document.json()["openapi"].startswith("3.1")
    assert f"{prefix}/openapi.json" in anybody.get("/docs").text
