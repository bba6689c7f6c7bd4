"""The contract's tables of fields: Schedule with its triggers and targets, Job, Run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest
from tests.contract_http.conftest import Caller, Json, a_schedule, faults
from tests.e2e.test_up import await_true

A_DELIVERY = {"kind": "EVENT", "eventTopic": "orders.due"}
RETRY = {
    "maxAttempts": 3,
    "notOn": [],
    "backoff": {"kind": "EXPONENTIAL", "initialSec": 1, "factor": 2, "maxSec": 3600, "jitter": 0.1},
}


def refused(api: Caller, **fields: Json) -> set[str]:
    """The fields of a schedule that are named as bad."""
    return set(faults(api.posts("/schedules", a_schedule(**({"target": A_DELIVERY} | fields)), 422)))


class TestSchedule:
    def test_it_is_read_back_as_it_was_said(self, api: Caller, job: Json) -> None:
        calendar = api.posts("/calendars", {"name": "weekdays"})
        said = {
            "name": "daily-report",
            "description": "for the board",
            "labels": {"team": "bi"},
            "tz": "Europe/Berlin",
            "enabled": True,
            "trigger": {"type": "CRON", "cron": "0 9 * * 1-5"},
            "target": {"kind": "JOB", "job": "reports.daily", "payload": {"kind": "full"}},
            "calendar": {"calendarId": calendar["id"], "onClosed": "NEXT_OPEN"},
            "misfire": {"policy": "FIRE_ALL", "graceSec": 10, "catchupWindowSec": 3600},
            "overlap": "QUEUE",
            "jitterSec": 5,
            "startAt": "2030-01-01T00:00:00Z",
            "endAt": "2031-01-01T00:00:00Z",
            "maxRuns": 7,
            "priority": 3,
        }

        read = api.posts("/schedules", said)

        assert {name: read[name] for name in said} == said
        assert read.keys() >= {"id", "tenantId", "nextFireAt", "lastFireAt", "createdAt", "updatedAt", "version"}
        assert read["nextFireAt"].startswith("2030-01-01T08:00:0")

    def test_what_is_left_unsaid_has_its_default(self, api: Caller, job: Json) -> None:
        read = api.posts("/schedules", a_schedule())

        assert {
            "description": "", "labels": {}, "enabled": True, "calendar": None, "overlap": "ALLOW", "jitterSec": 0,
            "startAt": None, "endAt": None, "maxRuns": None, "priority": None, "lastFireAt": None, "version": 1,
            "misfire": {"policy": "FIRE_ONCE", "graceSec": 30, "catchupWindowSec": None},
        }.items() <= read.items()  # fmt: skip

    @pytest.mark.parametrize("policy", ["FIRE_ONCE", "FIRE_ALL", "SKIP"])
    def test_misfire_policies(self, api: Caller, policy: str) -> None:
        read = api.posts("/schedules", a_schedule(target=A_DELIVERY, misfire={"policy": policy}))

        assert read["misfire"]["policy"] == policy

    @pytest.mark.parametrize("overlap", ["ALLOW", "SKIP", "QUEUE", "QUEUE_ONE", "REPLACE"])
    def test_overlap_policies(self, api: Caller, overlap: str) -> None:
        assert api.posts("/schedules", a_schedule(target=A_DELIVERY, overlap=overlap))["overlap"] == overlap

    @pytest.mark.parametrize("on_closed", ["SKIP", "NEXT_OPEN", "PREVIOUS_OPEN"])
    def test_what_becomes_of_closed_days(self, api: Caller, on_closed: str) -> None:
        calendar = api.posts("/calendars", {"name": "weekdays"})
        rule = {"calendarId": calendar["id"], "onClosed": on_closed}

        assert api.posts("/schedules", a_schedule(target=A_DELIVERY, calendar=rule))["calendar"] == rule

    def test_bad_fields_are_named(self, api: Caller) -> None:
        assert refused(api, tz="Mars/Base") == {"tz"}
        assert refused(api, overlap="MAYBE") == {"overlap"}
        assert refused(api, misfire={"policy": "X"}) == {"misfire.policy"}
        assert refused(api, startAt="2030-01-02T00:00:00Z", endAt="2030-01-01T00:00:00Z") == {"endAt"}
        assert refused(api, jitterSec=-1) == {"jitterSec"}
        assert refused(api, maxRuns=0) == {"maxRuns"}


TRIGGERS: list[Json] = [
    {"type": "CRON", "cron": "0 9 * * 1-5"},
    {"type": "CRON", "cron": "30 0 9 * * *"},
    {"type": "CRON", "cron": "0 9 * jan-mar/2 mon,wed"},
    {"type": "CRON", "cron": "0 9 L * *"},
    {"type": "CRON", "cron": "0 9 * * 5L"},
    {"type": "CRON", "cron": "0 9 * * L5"},
    {"type": "CRON", "cron": "0 9 * * 5#3"},
    {"type": "CRON", "cron": "@hourly"},
    {"type": "CRON", "cron": "30 2 * * *", "dst": {"gap": "SHIFT", "overlap": "BOTH"}},
    {"type": "RRULE", "rrule": "FREQ=WEEKLY;BYDAY=MO", "startAt": "2030-01-01T09:00:00"},
    {"type": "RRULE", "rrule": "FREQ=DAILY\nEXDATE:20300102T090000", "startAt": "2030-01-01T09:00:00"},
    {"type": "RRULE", "rrule": "FREQ=DAILY;COUNT=3", "startAt": None, "dst": {"gap": "SKIP", "overlap": "LAST"}},
    {"type": "FIXED_DELAY", "delaySec": 90},
    {"type": "FIXED_RATE", "everySec": 60, "anchorAt": "2030-01-01T00:00:00Z"},
    {"type": "ONE_SHOT", "startAt": "2030-01-31T09:00:00"},
    {"type": "EVENT", "subject": "topic.{tenant}.orders.new", "filter": {"/kind": "new"}},
]


class TestTriggers:
    @pytest.mark.parametrize("trigger", TRIGGERS, ids=lambda trigger: " ".join(map(str, trigger.values())))
    def test_a_trigger_is_read_back_as_it_was_said(self, api: Caller, tenant: str, trigger: Json) -> None:
        said = {name: value.format(tenant=tenant) if name == "subject" else value for name, value in trigger.items()}

        assert api.posts("/schedules", a_schedule(trigger=said, target=A_DELIVERY))["trigger"] == said

    @pytest.mark.parametrize("gap", ["NEXT_VALID", "SHIFT", "SKIP"])
    @pytest.mark.parametrize("overlap", ["FIRST", "LAST", "BOTH"])
    def test_rules_for_clock_changes(self, api: Caller, gap: str, overlap: str) -> None:
        dst = {"gap": gap, "overlap": overlap}
        asked = {"trigger": {"type": "CRON", "cron": "30 2 * * *", "dst": dst}, "tz": "Europe/Berlin", "count": 2}

        spring = api.posts("/schedules/preview", asked | {"from": "2030-03-31T00:00:00Z"}, 200)["fires"]
        autumn = api.posts("/schedules/preview", asked | {"from": "2030-10-27T00:00:00Z"}, 200)["fires"]

        first = {"NEXT_VALID": "03-31T01:00", "SHIFT": "03-31T01:30", "SKIP": "04-01T00:30"}[gap]
        both = {"FIRST": ["27T00:30", "28T01:30"], "LAST": ["27T01:30", "28T01:30"], "BOTH": ["27T00:30", "27T01:30"]}
        assert spring[0]["at"] == f"2030-{first}:00Z"
        assert [fire["at"] for fire in autumn] == [f"2030-10-{at}:00Z" for at in both[overlap]]

    def test_half_a_rule_has_the_other_half_by_default(self, api: Caller) -> None:
        said = {"type": "CRON", "cron": "30 2 * * *", "dst": {"gap": "SKIP"}}

        read = api.posts("/schedules", a_schedule(trigger=said, target=A_DELIVERY))

        assert read["trigger"]["dst"] == {"gap": "SKIP", "overlap": "FIRST"}

    @pytest.mark.parametrize("cron", ["R 9 * * *", "H 9 * * *", "0 9 15W * *", "0 0 9 * * * 2030", "0 0 30 2 *", "x"])
    def test_cron_expressions_that_are_refused(self, api: Caller, cron: str) -> None:
        assert refused(api, trigger={"type": "CRON", "cron": cron}) == {"trigger.cron"}

    def test_bad_fields_are_named(self, api: Caller, tenant: str) -> None:
        assert refused(api, trigger={"type": "RRULE", "rrule": "FREQ=NEVER"}) == {"trigger.rrule"}
        assert refused(api, trigger={"type": "FIXED_RATE", "everySec": 0.5}) == {"trigger.everySec"}
        assert refused(api, trigger={"type": "FIXED_DELAY", "delaySec": 0}) == {"trigger.delaySec"}
        assert refused(api, trigger={"type": "ONE_SHOT"}) == {"trigger.startAt"}
        assert refused(api, trigger={"type": "EVENT", "subject": "topic.other.x"}) == {"trigger.subject"}
        assert refused(api, trigger={"type": "SUNRISE"}) == {"trigger.type"}
        assert refused(api, trigger={"type": "CRON", "cron": "@hourly", "dst": {"gap": "X"}}) == {"trigger.dst.gap"}


class TestTargets:
    @pytest.mark.parametrize(
        "target",
        [
            {"kind": "JOB", "job": "reports.daily", "payload": {"kind": "full"}},
            {"kind": "EVENT", "eventTopic": "orders.due", "payload": [1, "x", None]},
            {
                "kind": "HTTP",
                "http": {
                    "url": "https://example.com/hook",
                    "method": "PUT",
                    "headers": {"X-Team": "bi"},
                    "body": "as it is",
                    "timeoutSec": 2.5,
                    "expectStatus": [202],
                },
                "payload": None,
            },
            {"kind": "QUEUE", "queue": {"topic": "orders", "broker": "rabbit-1"}, "payload": "x"},
        ],
        ids=lambda target: target["kind"],
    )
    def test_a_target_is_read_back_as_it_was_said(self, api: Caller, job: Json, target: Json) -> None:
        assert api.posts("/schedules", a_schedule(target=target))["target"] == target

    def test_the_job_must_be_stored(self, api: Caller) -> None:
        assert refused(api, target={"kind": "JOB", "job": "nobody's"}) == {"target.job"}

    def test_targets_that_are_no_job_take_retry_and_timeout(self, api: Caller, job: Json) -> None:
        terms = {"retry": RETRY | {"maxAttempts": 9}, "timeoutSec": 12}

        read = api.posts("/schedules", a_schedule(target=A_DELIVERY, **terms))

        assert {name: read[name] for name in terms} == terms
        assert set(faults(api.posts("/schedules", a_schedule("of a job", **terms), 422))) == set(terms)

    @pytest.mark.parametrize(
        "target", [A_DELIVERY, {"kind": "QUEUE", "queue": {"topic": "orders"}}], ids=["EVENT", "QUEUE"]
    )
    def test_a_run_of_it_succeeds_when_the_bus_has_stored_it(self, api: Caller, target: Json) -> None:
        schedule = api.posts("/schedules", a_schedule(target=target))
        run = api.posts(f"/schedules/{schedule['id']}/trigger")

        await_true(lambda: api.gets(f"/runs/{run['id']}")["state"] == "SUCCEEDED")

    def test_a_run_of_a_call_that_is_refused_dies_with_its_error(self, api: Caller) -> None:
        nowhere = {"kind": "HTTP", "http": {"url": "http://127.0.0.1:9/", "method": "POST"}}
        schedule = api.posts("/schedules", a_schedule(target=nowhere, retry={"maxAttempts": 1}))
        place = f"/runs/{api.posts('/schedules/' + schedule['id'] + '/trigger')['id']}"

        await_true(lambda: api.gets(place)["state"] == "DEAD")

        assert api.gets(place)["error"]["type"]

    def test_bad_fields_are_named(self, api: Caller) -> None:
        call = {"kind": "HTTP", "http": {"url": "ftp://example.com", "method": "POST"}}
        assert refused(api, target=call) == {"target.http.url"}
        assert refused(api, target={"kind": "EVENT", "eventTopic": "a b"}) == {"target.eventTopic"}
        assert refused(api, target={"kind": "QUEUE", "queue": {"topic": ""}}) == {"target.queue.topic"}
        assert refused(api, target={"kind": "FAX"}) == {"target.kind"}


class TestJob:
    def test_what_is_left_unsaid_has_its_default(self, api: Caller) -> None:
        defaults = {
            "name": "reports.daily", "queue": "default", "capabilities": [], "retry": RETRY, "timeoutSec": 300,
            "startBySec": None, "deadlineSec": None, "heartbeatTimeoutSec": None, "maxConcurrent": None,
            "concurrencyKey": None, "rateLimit": None, "priority": 0, "payloadSchema": None, "retentionSec": None,
        }  # fmt: skip

        assert defaults.items() <= api.posts("/jobs", {"name": "reports.daily"}).items()

    @pytest.mark.parametrize("kind", ["FIXED", "LINEAR", "EXPONENTIAL"])
    def test_it_is_read_back_as_it_was_said(self, api: Caller, kind: str) -> None:
        said = {
            "name": "invoices.send",
            "queue": "billing",
            "capabilities": ["smtp"],
            "retry": {
                "maxAttempts": 5,
                "notOn": ["BadInvoice"],
                "backoff": {"kind": kind, "initialSec": 2, "factor": 3, "maxSec": 60, "jitter": 0},
            },
            "timeoutSec": 60,
            "startBySec": 10,
            "deadlineSec": 600,
            "heartbeatTimeoutSec": 5,
            "maxConcurrent": 4,
            "concurrencyKey": "/customer/id",
            "rateLimit": {"count": 10, "perSec": 60},
            "priority": -3,
            "payloadSchema": {"type": "object"},
            "retentionSec": 86400,
        }

        read = api.posts("/jobs", said)

        assert {name: read[name] for name in said} == said

    @pytest.mark.parametrize(
        ("said", "field"),
        [
            ({"queue": "Big Queue"}, "queue"),
            ({"retry": {"maxAttempts": 0}}, "retry.maxAttempts"),
            ({"retry": {"backoff": {"kind": "RANDOM"}}}, "retry.backoff.kind"),
            ({"timeoutSec": 0}, "timeoutSec"),
            ({"maxConcurrent": 0}, "maxConcurrent"),
            ({"concurrencyKey": "customer"}, "concurrencyKey"),
            ({"rateLimit": {"count": 0, "perSec": 1}}, "rateLimit.count"),
            ({"priority": 101}, "priority"),
        ],
    )
    def test_bad_fields_are_named(self, api: Caller, said: Json, field: str) -> None:
        assert set(faults(api.posts("/jobs", {"name": "a"} | said, 422))) == {field}

    def test_a_registration_updates_only_jobs_that_registration_made(self, api: Caller) -> None:
        own = api.posts("/jobs", {"name": "own", "timeoutSec": 7})

        for timeout in (8, 9):
            jobs = [{"name": "own", "timeoutSec": timeout}, {"name": "theirs", "timeoutSec": timeout}]
            api.posts("/workers/register", {"jobs": jobs, "slots": 1})

        theirs, kept = api.gets("/jobs")["items"]
        assert kept == own
        assert (theirs["name"], theirs["timeoutSec"]) == ("theirs", 9)


class TestRun:
    def test_it_carries_all_that_the_contract_names(self, api: Caller, job: Json) -> None:
        run = api.posts("/runs", {"job": "reports.daily"})

        assert run.keys() >= {
            "scheduleId", "job", "scheduledFor", "dueAt", "firedAt", "queuedAt", "startedAt", "finishedAt",
            "nextAttemptAt", "cancelRequestedAt", "attempt", "attempts", "workerId", "retryOf", "payload", "result",
            "error", "reason", "progress", "labels", "priority", "correlationId", "traceparent", "state", "cause",
        }  # fmt: skip
        assert run["scheduledFor"] == run["dueAt"]

    @pytest.mark.parametrize(
        "name", ["PENDING", "QUEUED", "RUNNING", "RETRYING", "SUCCEEDED", "DEAD", "CANCELLED", "SKIPPED"]
    )
    def test_states(self, api: Caller, name: str) -> None:
        assert api.gets("/runs", state=name)["items"] == []

    @pytest.mark.parametrize("name", ["SCHEDULE", "MANUAL", "BACKFILL", "EVENT", "API", "RETRY"])
    def test_causes(self, api: Caller, name: str) -> None:
        assert api.gets("/runs", cause=name)["items"] == []

    def test_who_asked_for_it_is_kept(self, api: Caller, job: Json) -> None:
        parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

        run = api.posts("/runs", {"job": "reports.daily"}, traceparent=parent, **{"X-Correlation-Id": "order-7"})

        assert (run["correlationId"], run["traceparent"]) == ("order-7", parent)

    def test_a_schedules_last_fire_is_its_runs_firing(self, api: Caller) -> None:
        past = {"type": "ONE_SHOT", "startAt": "2020-01-01T00:00:00Z"}
        schedule = api.posts("/schedules", a_schedule(trigger=past, target=A_DELIVERY))
        place = f"/schedules/{schedule['id']}"

        await_true(lambda: api.gets(place)["lastFireAt"])

        read = api.gets(place)
        (run,) = api.gets("/runs", scheduleId=schedule["id"])["items"]
        assert (run["cause"], run["scheduledFor"], run["firedAt"]) == (
            "SCHEDULE",
            "2020-01-01T00:00:00Z",
            read["lastFireAt"],
        )
        assert (read["nextFireAt"], read["enabled"]) == (None, True)
        assert datetime.fromisoformat(run["firedAt"]) >= datetime.fromisoformat(run["dueAt"])

    def test_a_run_on_its_way_is_cancelled_at_once(self, api: Caller, job: Json) -> None:
        run = api.posts("/runs", {"job": "reports.daily"})

        cancelled = api.posts(f"/runs/{run['id']}/cancel", status=202)

        assert (cancelled["state"], cancelled["attempt"]) == ("CANCELLED", run["attempt"])


def test_each_prefix_answers_the_same(api: Caller, root: Caller, job: Json) -> None:
    calls: list[Callable[[Caller], Json]] = [
        lambda caller: caller.gets("/jobs"),
        lambda caller: caller.gets(f"/jobs/{job['id']}"),
        lambda caller: caller.gets("/schedules", page=1),
    ]

    for call in calls:
        assert call(api) == call(root)
