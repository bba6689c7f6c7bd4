"""What is sent for a run."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from tests.support.builders import NOON, next_id
from tests.unit.webhooks.parcels import SECRET, TRACEPARENT, URL, a_parcel

from rota.domain.delivery import HttpReceiver
from rota.domain.ids import ScheduleId
from rota.domain.payload import Json
from rota.infrastructure.webhooks.request import Request, request_for
from rota.infrastructure.webhooks.signature import Signer

UNSIGNED = Signer([])


def request(receiver: HttpReceiver, payload: Json | None = None, traceparent: str | None = None) -> Request:
    return request_for(a_parcel(receiver, payload=payload, traceparent=traceparent), receiver, UNSIGNED, NOON)


def test_the_receivers_body_is_sent_as_it_is() -> None:
    receiver = HttpReceiver(url=URL, body=' {"größe": 1}')

    sent = request(receiver, Json('{"other": true}'))

    assert sent.body == ' {"größe": 1}'.encode()
    assert sent.headers["content-type"] == "application/json"


def test_the_payload_is_sent_where_the_receiver_has_no_body() -> None:
    assert request(HttpReceiver(url=URL), Json('{"report": 7}')).body == b'{"report": 7}'


def test_a_payload_of_null_is_a_payload() -> None:
    assert request(HttpReceiver(url=URL), Json("null")).body == b"null"


def test_without_body_and_payload_the_fire_is_described() -> None:
    receiver = HttpReceiver(url=URL)
    parcel = a_parcel(receiver, schedule_id=ScheduleId(next_id()), attempt=2)

    sent = request_for(parcel, receiver, UNSIGNED, NOON + timedelta(hours=1))

    assert sent.body is not None
    assert json.loads(sent.body) == {
        "type": "scheduler.fire",
        "timestamp": "2026-03-02T12:00:02Z",
        "data": {
            "runId": str(parcel.run_id),
            "scheduleId": str(parcel.schedule_id),
            "scheduledFor": "2026-03-02T12:00:00Z",
            "dueAt": "2026-03-02T12:00:02Z",
            "attempt": 2,
        },
    }


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_a_method_without_content_sends_none_of_its_own(method: str) -> None:
    sent = request(HttpReceiver(url=URL, method=method), Json("{}"))

    assert sent.body is None
    assert "content-type" not in sent.headers


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_a_method_without_content_sends_the_receivers_body(method: str) -> None:
    assert request(HttpReceiver(url=URL, method=method, body="{}")).body == b"{}"


def test_the_receivers_headers_go_before_our_own() -> None:
    headers = (
        ("content-type", "text/plain"),
        ("user-agent", "their-agent"),
        ("Traceparent", "theirs"),
        ("X-Tag", "a"),
        ("X-Tag", "b"),
    )

    sent = request(HttpReceiver(url=URL, headers=headers, body="hello"), traceparent=TRACEPARENT)

    assert sent.headers.getall("Content-Type") == ["text/plain"]
    assert sent.headers.getall("User-Agent") == ["their-agent"]
    assert sent.headers.getall("traceparent") == ["theirs"]
    assert sent.headers.getall("X-Tag") == ["a", "b"]


def test_the_trace_goes_on_at_the_receiver() -> None:
    assert request(HttpReceiver(url=URL), traceparent=TRACEPARENT).headers["traceparent"] == TRACEPARENT
    assert "traceparent" not in request(HttpReceiver(url=URL)).headers


def test_nothing_packed_is_asked_for() -> None:
    sent = request(HttpReceiver(url=URL))

    assert sent.headers["Accept-Encoding"] == "identity"
    assert sent.headers["User-Agent"] == "rota"


def test_the_id_stays_over_attempts_and_the_timestamp_does_not() -> None:
    parcel = a_parcel()
    receiver = HttpReceiver(url=URL)
    signer = Signer([SECRET])

    first = request_for(parcel, receiver, signer, NOON)
    second = request_for(parcel, receiver, signer, NOON + timedelta(seconds=90))

    assert first.headers["webhook-id"] == second.headers["webhook-id"] == str(parcel.run_id)
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) == 90
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]


def test_an_unsigned_request_still_has_its_id() -> None:
    sent = request(HttpReceiver(url=URL))

    assert "webhook-id" in sent.headers
    assert "webhook-signature" not in sent.headers
