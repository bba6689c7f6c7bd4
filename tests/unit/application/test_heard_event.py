"""What a message says: its id, its moment, its payload, and whether a filter is satisfied."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.builders import MINUTE, NOON, next_id

from rota.application.heard_event import HeardEvent, event_run_id, read_event
from rota.application.ports.event_inbox import EventMessage
from rota.domain.errors import InvalidError
from rota.domain.ids import RunId, ScheduleId

SCHEDULE = ScheduleId(next_id())
OTHER = ScheduleId(next_id())
PLACE = "2026-01-01T00:00:00+00:00:7"
EARLIER = NOON - MINUTE
UUID_OF_EARLIER = UUID(int=int(EARLIER.timestamp() * 1000) << 80 | 0x7 << 76 | 0b10 << 62 | 99)


def heard(body: bytes | object = b"{}", *, at: datetime = NOON, headers: Mapping[str, str] | None = None) -> HeardEvent:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return read_event(EventMessage("topic.acme.orders", raw, headers or {}, at, PLACE))


def a_cloud_event(**attributes: object) -> dict[str, object]:
    return {"specversion": "1.0", "id": "order-9", "source": "shop", "type": "paid", **attributes}


# Payload


def test_a_json_body_is_the_payload_as_it_came() -> None:
    assert heard(b'{"b": 1.0, "a":\t[]}').payload == '{"b": 1.0, "a":\t[]}'


@pytest.mark.parametrize(
    ("body", "payload"),
    [(b"hello", '"hello"'), (b'{"a":', '"{\\"a\\":"'), (b"\xff\x00", '"\ufffd\\u0000"'), (b"NaN", '"NaN"')],
)
def test_any_other_body_is_a_text(body: bytes, payload: str) -> None:
    assert heard(body).payload == payload


def test_no_body_is_no_payload() -> None:
    assert heard(b"").payload is None


def test_a_body_of_the_greatest_size_and_depth_is_taken() -> None:
    assert heard(b'"' + b"a" * (256 * 1024 - 2) + b'"').payload
    assert heard(b"[" * 64 + b"]" * 64).payload


@pytest.mark.parametrize(
    "body", [b'"' + b"a" * 256 * 1024 + b'"', b"[" * 65 + b"]" * 65, b'{"a":' * 65 + b"1" + b"}" * 65]
)
def test_what_is_too_large_or_too_deep_for_a_payload_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidError):
        heard(body)


# Id and moment


def test_the_header_names_a_message_before_anything_in_it() -> None:
    assert heard(a_cloud_event(), headers={"Nats-Msg-Id": "m-1"}).id == "m-1"


def test_a_cloud_event_is_named_by_its_id() -> None:
    assert heard(a_cloud_event()).id == "order-9"


def test_any_other_message_is_named_by_its_place() -> None:
    assert heard({"id": "order-9"}).id == PLACE


def test_a_name_that_cannot_be_kept_is_shortened_to_its_digest() -> None:
    long, longer = (heard(headers={"Nats-Msg-Id": "m" * length}).id for length in (201, 202))

    assert long != longer
    assert len(long) == len(longer) == 64


@pytest.mark.parametrize(
    "event",
    [
        heard(headers={"Nats-Msg-Id": str(UUID_OF_EARLIER)}),
        heard(a_cloud_event(id=str(UUID_OF_EARLIER))),
        heard(a_cloud_event(time="2026-03-02T12:59:00+01:00")),
    ],
    ids=["of its name in the header", "of its id", "of its time"],
)
def test_a_message_has_the_moment_that_it_brings(event: HeardEvent) -> None:
    assert event.moment == EARLIER


@pytest.mark.parametrize(
    "event",
    [
        heard({"time": "2026-03-02T11:59:00Z"}),
        heard(a_cloud_event(time="yesterday")),
        heard(a_cloud_event(time="2026-03-02T11:59:00")),
        heard(a_cloud_event(time="1969-12-31T00:00:00Z")),
        heard(a_cloud_event(time=(NOON + 2 * MINUTE).isoformat())),
        heard(headers={"Nats-Msg-Id": str(UUID(int=(2**48 - 1) << 80 | 0x7 << 76 | 0b10 << 62))}),
    ],
    ids=["no CloudEvent", "no time", "no offset", "before all", "in the future", "in the far future"],
)
def test_one_that_brings_none_to_be_believed_has_that_of_its_storing(event: HeardEvent) -> None:
    assert event.moment == NOON


# The run's id


def test_a_message_that_is_stored_a_second_time_makes_the_same_run() -> None:
    once = heard(a_cloud_event(time="2026-03-02T11:59:00Z"), at=NOON)
    again = heard(a_cloud_event(time="2026-03-02T11:59:00Z"), at=NOON + 5 * MINUTE)

    assert event_run_id(SCHEDULE, once) == event_run_id(SCHEDULE, again)


def test_each_schedule_and_each_message_has_a_run_of_its_own() -> None:
    one, other = heard(headers={"Nats-Msg-Id": "1"}), heard(headers={"Nats-Msg-Id": "2"})

    ids = {event_run_id(schedule, event) for schedule in (SCHEDULE, OTHER) for event in (one, other)}

    assert len(ids) == 4


@given(st.text(min_size=1), st.timedeltas(timedelta(0), timedelta(days=36_500)))
def test_a_runs_id_is_a_uuid_of_version_7_that_tells_the_moment(name: str, age: timedelta) -> None:
    at = datetime.fromtimestamp(0, NOON.tzinfo) + age
    made = event_run_id(SCHEDULE, heard(headers={"Nats-Msg-Id": f"m{name}"}, at=at))

    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert made.int >> 80 == age // timedelta(milliseconds=1)


# Filters


@pytest.mark.parametrize(
    ("pointer", "text"),
    [
        ("/kind", '"paid"'),
        ("/lines/1/count", "2"),
        ("/a~1b", "true"),
        ("/c~0d", "null"),
        ("/nested", '{"a":1,"b":[1.5]}'),
    ],
)
def test_a_filter_is_satisfied_by_an_equal_value(pointer: str, text: str) -> None:
    event = heard(
        {
            "kind": "paid",
            "lines": [{}, {"count": 2}],
            "a/b": True,
            "c~d": None,
            "nested": {"b": [1.5], "a": 1},
        }
    )

    assert event.satisfies(((pointer, text),))


@pytest.mark.parametrize(
    ("pointer", "text"),
    [
        ("/kind", '"open"'),
        ("/kind", "null"),
        ("/none", "null"),
        ("/count", "true"),
        ("/count", '"1"'),
        ("/lines/2", "3"),
    ],
)
def test_a_filter_is_not_satisfied_by_another_value_or_by_none(pointer: str, text: str) -> None:
    assert not heard({"kind": "paid", "count": 1, "lines": [1, 2]}).satisfies(((pointer, text),))


def test_every_part_of_a_filter_counts() -> None:
    event = heard({"a": 1, "b": 2})

    assert event.satisfies((("/a", "1"), ("/b", "2")))
    assert not event.satisfies((("/a", "1"), ("/b", "3")))
    assert event.satisfies(())


def test_a_message_without_json_satisfies_no_filter() -> None:
    assert not heard(b"hello").satisfies((("/kind", '"paid"'),))


# Where it comes from


@pytest.mark.parametrize(
    "attributes",
    [{"data": {"scheduleId": str(SCHEDULE)}}, {"subject": str(SCHEDULE)}],
    ids=["a run's", "the schedule's own, or one that it has sent"],
)
def test_events_of_a_schedule_come_from_it(attributes: dict[str, object]) -> None:
    event = heard(a_cloud_event(source="rota", **attributes))

    assert event.comes_from(SCHEDULE)
    assert not event.comes_from(OTHER)


def test_what_others_say_of_a_schedule_does_not_come_from_it() -> None:
    assert not heard(a_cloud_event(subject=str(SCHEDULE))).comes_from(SCHEDULE)
    assert not heard({"data": {"scheduleId": str(SCHEDULE)}}).comes_from(SCHEDULE)


def test_a_message_to_a_queue_names_the_run_that_sent_it() -> None:
    run_id = RunId(next_id())

    assert heard(headers={"Rota-Run-Id": str(run_id)}).sender == run_id
    assert heard(headers={"Rota-Run-Id": "7"}).sender is None
    assert heard().sender is None


def test_it_hands_on_what_it_belongs_to() -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    event = heard(a_cloud_event(correlationid="order-9", traceparent=trace))

    assert (event.correlation_id, event.traceparent) == ("order-9", trace)
    assert heard(headers={"traceparent": trace}).traceparent == trace
    assert heard(a_cloud_event(correlationid="x" * 201, traceparent="00-1-2")).correlation_id is None
    assert heard(headers={"traceparent": "00-1-2"}).traceparent is None
