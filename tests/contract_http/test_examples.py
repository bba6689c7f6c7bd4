"""Each example of the OpenAPI document, sent as it stands, is answered as the document says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count

import pytest
from tests.contract_http.conftest import Caller, Json, a_schedule

from rota.entrypoints.http.document.examples import CALENDAR_ID, REQUESTS, SCHEDULE_ID

ANSWERED = {
    "preview": 200, "change_schedule": 200, "change_job": 200, "change_calendar": 200, "import_days": 200,
    "enable_schedule": 200, "disable_schedule": 200, "skip_fires": 200, "take_heartbeat": 200,
    "cancel_run": 202, "drain_worker": 202,
}  # fmt: skip
"""Otherwise 201, or 200 for a dry run."""

NEEDS_MORE = {"backfill_schedule", "cancel_backfill", "redrive_runs", "cancel_redrive", "retry_run"}
"""Made for something that has a history; the table's tests send the like of these."""


@pytest.fixture
def document(api: Caller) -> Json:
    return api.gets("/openapi.json")


@pytest.fixture
def places(api: Caller, job: Json) -> dict[str, str]:
    """Ids for the parameters of paths."""
    schedule = api.posts("/schedules", a_schedule("of the example"))
    return {
        "schedule_id": schedule["id"],
        "job_id": job["id"],
        "calendar_id": api.posts("/calendars", {"name": "of the example"})["id"],
        "worker_id": api.posts("/workers/register", {"jobs": [], "slots": 1})["workerId"],
    }


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, found in document["paths"].items():
        for method, operation in found.items():
            if operation["operationId"] in REQUESTS.keys() - NEEDS_MORE:
                yield method, path, operation


def test_every_example_is_answered_as_told(api: Caller, document: Json, places: dict[str, str]) -> None:
    numbers = count()
    for method, path, operation in operations(document):
        for media_type, content in operation["requestBody"]["content"].items():
            for example in content["examples"].values():
                run = api.posts("/runs", {"job": "reports.daily", "runAt": "2031-01-01T00:00:00Z"})
                places["schedule_id"] = api.posts("/schedules", a_schedule(f"the {next(numbers)}th"))["id"]
                value = example["value"]
                raw = value if isinstance(value, str) else json.dumps(value)
                raw = raw.replace(CALENDAR_ID, places["calendar_id"]).replace(SCHEDULE_ID, places["schedule_id"])

                answer = api.request(
                    method, path.format(**places, run_id=run["id"]), content=raw, headers={"Content-Type": media_type}
                )

                expected = ANSWERED.get(operation["operationId"], 201)
                assert answer.status_code == expected, (operation["operationId"], example["summary"], answer.text)
                assert str(expected) in operation["responses"]


def test_a_backfill_is_asked_for_as_the_example_says(api: Caller, job: Json) -> None:
    """But for its end: before its creation a schedule has no due times."""
    (example,) = REQUESTS["backfill_schedule"].values()
    schedule = api.posts("/schedules", a_schedule())
    end = (datetime.fromisoformat(schedule["createdAt"]) + timedelta(microseconds=1)).isoformat()

    assert api.posts(f"/schedules/{schedule['id']}/backfill", example | {"to": end}, 200) == {"count": 0}


def test_a_redrive_is_asked_for_as_the_examples_say(api: Caller, job: Json) -> None:
    only_count, slowly = REQUESTS["redrive_runs"].values()

    assert api.posts("/runs/redrive", only_count, 200)["count"] == 0
    assert api.posts("/runs/redrive", slowly, 202)["count"] == 0
