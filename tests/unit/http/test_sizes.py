"""The contract's sizes hold wherever something of that kind is said, and what is beyond them changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest
from tests.unit.http.conftest import Json, Served, a_delivery, a_schedule, errors
from tests.unit.http.test_callers import ENDPOINTS, RANDOM

KIB = 1024
PAYLOAD = "!payload!"
LARGEST = "x" * (256 * KIB - 2)
"""With its quotes it has just 256 KiB."""
DEEPEST: Json = json.loads("[" * 64 + "]" * 64)
WRITING = [(method, path) for _, method, path in ENDPOINTS if method in ("POST", "PATCH")]

ONE_RUN = {"job": "reports.daily"}
CARRIED: list[tuple[str, str, Json, str]] = [
    ("POST", "/runs", ONE_RUN | {"payload": PAYLOAD}, "payload"),
    ("POST", "/runs/batch", [ONE_RUN, ONE_RUN | {"payload": PAYLOAD}], "1.payload"),
    ("POST", "/runs/{run}/retry", {"payload": PAYLOAD}, "payload"),
    ("POST", "/runs/redrive", {"filter": {"job": "reports.daily"}, "payload": PAYLOAD}, "payload"),
    (
        "POST",
        "/schedules",
        a_schedule(name="b", target={"kind": "JOB", "job": "reports.daily", "payload": PAYLOAD}),
        "target.payload",
    ),
    (
        "POST",
        "/schedules/batch",
        [
            a_schedule(name="b"),
            a_delivery("EVENT", name="c") | {"target": {"kind": "EVENT", "eventTopic": "a", "payload": PAYLOAD}},
        ],
        "1.target.payload",
    ),
    (
        "PATCH",
        "/schedules/{schedule}",
        {"target": {"kind": "JOB", "job": "reports.daily", "payload": PAYLOAD}},
        "target.payload",
    ),
    ("POST", "/schedules/{schedule}/trigger", {"payload": PAYLOAD}, "payload"),
]
LABELLED: list[tuple[str, str, Callable[[Json], Json], str]] = [
    ("POST", "/runs", lambda labels: ONE_RUN | {"labels": labels}, "labels"),
    ("POST", "/runs/batch", lambda labels: [ONE_RUN, ONE_RUN | {"labels": labels}], "1.labels"),
    ("POST", "/schedules", lambda labels: a_schedule(name="b", labels=labels), "labels"),
    (
        "POST",
        "/schedules/batch",
        lambda labels: [a_schedule(name="b"), a_schedule(name="c", labels=labels)],
        "1.labels",
    ),
    ("PATCH", "/schedules/{schedule}", lambda labels: {"labels": labels}, "labels"),
]


@pytest.fixture
async def place(acme: httpx.AsyncClient, job: Json) -> Callable[[str], str]:
    schedule = (await acme.post("/schedules", json=a_schedule())).json()["id"]
    run = (await acme.post("/runs", json=ONE_RUN)).json()["id"]
    await acme.post(f"/runs/{run}/cancel")
    return lambda path: path.format(schedule=schedule, run=run)


def stored(served: Served) -> Json:
    tables = served.store.tables
    return len(tables.runs), len(tables.schedules), len(tables.events)


@pytest.mark.parametrize(("method", "path", "body", "field"), CARRIED)
@pytest.mark.parametrize(
    ("most", "more", "message"),
    [
        (LARGEST, LARGEST + "x", "must be at most 256 KiB"),
        (DEEPEST, [DEEPEST], "must not be nested deeper than 64"),
    ],
    ids=["size", "nesting"],
)
async def test_a_payload(
    served: Served,
    acme: httpx.AsyncClient,
    place: Callable[[str], str],
    method: str,
    path: str,
    body: Json,
    field: str,
    most: Json,
    more: Json,
    message: str,
) -> None:
    before = stored(served)

    beyond = await acme.request(method, place(path), content=carrying(body, more))
    unchanged = stored(served)
    within = await acme.request(method, place(path), content=carrying(body, most))

    assert (beyond.status_code, errors(beyond)) == (422, {field: message})
    assert unchanged == before
    assert within.is_success, within.text[:500]


def carrying(body: Json, payload: Json) -> str:
    return json.dumps(body).replace(json.dumps(PAYLOAD), json.dumps(payload))


@pytest.mark.parametrize(("method", "path", "body", "field"), LABELLED)
async def test_a_label(
    served: Served,
    acme: httpx.AsyncClient,
    place: Callable[[str], str],
    method: str,
    path: str,
    body: Callable[[Json], Json],
    field: str,
) -> None:
    before = stored(served)

    value = await acme.request(method, place(path), json=body({"team": "x" * 64}))
    key = await acme.request(method, place(path), json=body({"x" * 64: "bi"}))
    unchanged = stored(served)
    within = await acme.request(method, place(path), json=body({"x" * 63: "x" * 63}))

    assert (value.status_code, list(errors(value))) == (422, [f"{field}.team"])
    assert (key.status_code, list(errors(key))) == (422, [f"{field}.{'x' * 64}"])
    assert unchanged == before
    assert within.is_success, within.text


@pytest.mark.parametrize(("method", "path"), WRITING)
async def test_a_body(served: Served, acme: httpx.AsyncClient, method: str, path: str) -> None:
    """Judged by what it says of its length: nothing is read, and there are no `errors`."""
    headers = {"Content-Length": str(8 * KIB * KIB + 1)}

    answer = await acme.request(method, path.format(id=RANDOM), content=b"{}", headers=headers)

    assert (answer.status_code, answer.json()["type"]) == (413, "urn:rota:error:too-large")
    assert "errors" not in answer.json()
    assert not served.store.tables.events


@pytest.mark.parametrize(
    ("path", "made"), [("/runs/batch", lambda n: ONE_RUN), ("/schedules/batch", lambda n: a_schedule(name=str(n)))]
)
async def test_a_batch(
    served: Served, acme: httpx.AsyncClient, job: Json, path: str, made: Callable[[int], Json]
) -> None:
    before = stored(served)

    beyond = await acme.post(path, json=[made(n) for n in range(1001)])
    unchanged = stored(served)
    within = await acme.post(path, json=[made(n) for n in range(1000)])

    assert (beyond.status_code, errors(beyond)) == (422, {"1000": "a batch has at most 1,000 items"})
    assert unchanged == before
    assert (within.status_code, len(within.json()["items"])) == (201, 1000)
