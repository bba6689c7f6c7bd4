"""Targets that are not a job: what may be said of a receiver, and how it is shown."""

from __future__ import annotations

import httpx
import pytest
from tests.unit.http.conftest import TARGETS, Json, Served, a_delivery, a_schedule, errors

USUAL_RETRY = {
    "maxAttempts": 3,
    "notOn": [],
    "backoff": {"kind": "EXPONENTIAL", "initialSec": 1, "factor": 2.0, "maxSec": 3600, "jitter": 0.1},
}


@pytest.mark.parametrize("kind", ["EVENT", "HTTP", "QUEUE"])
async def test_a_target_is_kept_as_it_is(acme: httpx.AsyncClient, kind: str) -> None:
    made = await acme.post("/schedules", json=a_delivery(kind))

    assert made.status_code == 201, made.text
    assert made.json()["target"] == TARGETS[kind]
    assert made.json()["retry"] == USUAL_RETRY
    assert (await acme.get(f"/schedules/{made.json()['id']}")).json() == made.json()


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ({"kind": "EVENT", "eventTopic": "a"}, {"kind": "EVENT", "eventTopic": "a", "payload": None}),
        (
            {"kind": "QUEUE", "queue": {"topic": "a.b"}},
            {"kind": "QUEUE", "queue": {"topic": "a.b", "broker": None}, "payload": None},
        ),
        (
            {"kind": "HTTP", "http": {"url": "http://localhost:8080/x?y=1"}},
            {
                "kind": "HTTP",
                "http": {
                    "url": "http://localhost:8080/x?y=1",
                    "method": "POST",
                    "headers": {},
                    "body": None,
                    "timeoutSec": 30,
                    "expectStatus": [],
                },
                "payload": None,
            },
        ),
    ],
)
async def test_what_is_left_out_has_its_default(acme: httpx.AsyncClient, target: Json, shown: Json) -> None:
    made = (await acme.post("/schedules", json=a_schedule(target=target))).json()

    assert (made["target"], made["timeoutSec"]) == (shown, 30)


@pytest.mark.parametrize("kind", ["EVENT", "HTTP", "QUEUE"])
async def test_what_is_read_of_a_delivery_can_be_said_of_a_new_one(acme: httpx.AsyncClient, kind: str) -> None:
    retry = {"maxAttempts": 5, "notOn": ["HttpRedirect"], "backoff": {"kind": "FIXED"}}
    made = (await acme.post("/schedules", json=a_delivery(kind, retry=retry, timeoutSec=7))).json()
    told = ("trigger", "target", "retry", "timeoutSec", "overlap", "priority", "misfire", "tz")

    again = (await acme.post("/schedules", json={"name": "again"} | {name: made[name] for name in told})).json()

    assert {name: again[name] for name in told} == {name: made[name] for name in told}


async def test_the_receivers_own_time_limit_wins_over_the_schedules(acme: httpx.AsyncClient) -> None:
    both = (await acme.post("/schedules", json=a_delivery("HTTP", timeoutSec=60))).json()
    one = (await acme.post("/schedules", json=a_delivery("EVENT", name="b", timeoutSec=60))).json()

    assert (both["timeoutSec"], both["target"]["http"]["timeoutSec"]) == (2.5, 2.5)
    assert one["timeoutSec"] == 60


async def test_one_status_is_as_good_as_a_list_of_it(acme: httpx.AsyncClient) -> None:
    target = {"kind": "HTTP", "http": {"url": "https://example.com", "expectStatus": 404}}

    made = (await acme.post("/schedules", json=a_schedule(target=target))).json()

    assert made["target"]["http"]["expectStatus"] == [404]


def an_http_target(**http: Json) -> Json:
    return {"kind": "HTTP", "http": {"url": "https://example.com"} | http}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"target": {"kind": "EVENT"}}, "target.eventTopic"),
        ({"target": {"kind": "EVENT", "eventTopic": ""}}, "target.eventTopic"),
        ({"target": {"kind": "EVENT", "eventTopic": "a.*"}}, "target.eventTopic"),
        ({"target": {"kind": "EVENT", "eventTopic": "a\x00"}}, "target.eventTopic"),
        ({"target": {"kind": "EVENT", "eventTopic": "x" * 201}}, "target.eventTopic"),
        ({"target": {"kind": "EVENT", "eventTopic": "a", "job": "b"}}, "target.job"),
        ({"target": {"kind": "EVENT", "eventTopic": "a", "payload": "x" * 256 * 1024}}, "target.payload"),
        ({"target": {"kind": "QUEUE"}}, "target.queue"),
        ({"target": {"kind": "QUEUE", "queue": {}}}, "target.queue.topic"),
        ({"target": {"kind": "QUEUE", "queue": {"topic": "a b"}}}, "target.queue.topic"),
        ({"target": {"kind": "QUEUE", "queue": {"topic": "a", "broker": "No"}}}, "target.queue.broker"),
        ({"target": {"kind": "QUEUE", "queue": {"topic": "a", "host": "b"}}}, "target.queue.host"),
        ({"target": {"kind": "HTTP"}}, "target.http"),
        ({"target": {"kind": "HTTP", "http": {}}}, "target.http.url"),
        ({"target": an_http_target(url="example.com")}, "target.http.url"),
        ({"target": an_http_target(url="https://ann:pass@example.com")}, "target.http.url"),
        ({"target": an_http_target(url="https://example.com/" + "x" * 2_000)}, "target.http.url"),
        ({"target": an_http_target(url="https://example.com:99999")}, "target.http.url"),
        ({"target": an_http_target(method="get")}, "target.http.method"),
        ({"target": an_http_target(method="TRACE")}, "target.http.method"),
        ({"target": an_http_target(headers={"a b": "x"})}, "target.http.headers"),
        ({"target": an_http_target(headers={"Host": "x"})}, "target.http.headers.Host"),
        ({"target": an_http_target(headers={"webhook-signature": "x"})}, "target.http.headers.webhook-signature"),
        ({"target": an_http_target(headers={"X-A": "a\r\nb"})}, "target.http.headers.X-A"),
        ({"target": an_http_target(headers={"X-A": 1})}, "target.http.headers.X-A"),
        ({"target": an_http_target(headers={"X-A": "1", "x-a": "2"})}, "target.http.headers.x-a"),
        ({"target": an_http_target(headers={f"X-{n}": "" for n in range(51)})}, "target.http.headers"),
        ({"target": an_http_target(body={"a": 1})}, "target.http.body"),
        ({"target": an_http_target(body="a\x00")}, "target.http.body"),
        ({"target": an_http_target(body="é" * 128 * 1024 + "x")}, "target.http.body"),
        ({"target": an_http_target(timeoutSec=0)}, "target.http.timeoutSec"),
        ({"target": an_http_target(timeoutSec=1e9)}, "target.http.timeoutSec"),
        ({"target": an_http_target(expectStatus=199)}, "target.http.expectStatus"),
        ({"target": an_http_target(expectStatus=["200"])}, "target.http.expectStatus.0"),
        ({"target": an_http_target(expectStatus="2xx")}, "target.http.expectStatus"),
        ({"target": an_http_target(follow=True)}, "target.http.follow"),
        ({"timeoutSec": 0}, "timeoutSec"),
        ({"timeoutSec": 1e9}, "timeoutSec"),
        ({"retry": {"maxAttempts": 0}}, "retry.maxAttempts"),
        ({"retry": {"backoff": {"initialSec": 1e9}}}, "retry.backoff.initialSec"),
        ({"retry": {"attempts": 3}}, "retry.attempts"),
    ],
)
async def test_a_bad_field_is_named_and_nothing_is_stored(
    served: Served, acme: httpx.AsyncClient, wrong: Json, field: str
) -> None:
    answer = await acme.post("/schedules", json=a_delivery() | wrong)

    assert (answer.status_code, list(errors(answer))) == (422, [field])
    assert not served.store.tables.schedules


async def test_a_run_of_a_delivery_has_no_job_and_says_what_it_is(acme: httpx.AsyncClient) -> None:
    schedule = (await acme.post("/schedules", json=a_delivery("HTTP"))).json()

    run = (await acme.post(f"/schedules/{schedule['id']}/trigger", json={"payload": {"by": "hand"}})).json()

    assert (run["job"], run["target"], run["payload"]) == (None, "HTTP", {"by": "hand"})
    assert (await acme.get(f"/runs/{run['id']}")).json() == run


async def test_schedules_are_found_by_the_kind_of_their_target(acme: httpx.AsyncClient, job: Json) -> None:
    await acme.post("/schedules", json=a_schedule())
    for kind in TARGETS:
        await acme.post("/schedules", json=a_delivery(kind, name=kind))

    for kind in (*TARGETS, "JOB"):
        found = (await acme.get("/schedules", params={"kind": kind})).json()["items"]
        assert [item["target"]["kind"] for item in found] == [kind]
