"""Limits, as they are said and as they are counted."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.builders import NOON, SECOND, a_job

from rota.domain.delivery import AT_ONCE, Delivery, EventReceiver, HttpReceiver, QueueReceiver, is_delivery_lane
from rota.domain.errors import InvalidError
from rota.domain.ids import JobId
from rota.domain.job import JobDefinition, JobTerms
from rota.domain.payload import Json
from rota.domain.terms import RateLimit, Terms

TEN_A_SECOND = RateLimit(10, SECOND)


class TestRateLimits:
    def test_a_full_bucket_lets_all_go_at_once(self) -> None:
        assert TEN_A_SECOND.allows(None, NOON) == 10

    def test_an_empty_one_refills_evenly(self) -> None:
        spent = TEN_A_SECOND.spend(None, 10, NOON)

        assert [TEN_A_SECOND.allows(spent, NOON + n * SECOND / 10) for n in (0, 1, 5, 10, 99)] == [0, 1, 5, 10, 10]

    @given(st.integers(1, 1_000), st.integers(1, 3_600), st.lists(st.integers(0, 5_000), max_size=50))
    def test_over_any_time_no_more_start_than_a_bucket_and_its_refill(
        self, count: int, seconds: int, pauses: list[int]
    ) -> None:
        limit, now, spent, started = RateLimit(count, seconds * SECOND), NOON, None, 0
        for pause in pauses:
            now += timedelta(milliseconds=pause)
            allowed = limit.allows(spent, now)
            spent, started = limit.spend(spent, allowed, now), started + allowed

        assert started <= count + (now - NOON) / (seconds * SECOND) * count + 1e-6

    @pytest.mark.parametrize(("count", "per", "field"), [(0, SECOND, "count"), (1, timedelta(0), "perSec")])
    def test_one_without_sense_is_refused(self, count: int, per: timedelta, field: str) -> None:
        with pytest.raises(InvalidError, match=field):
            RateLimit(count, per)


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"timeout": timedelta(0)}, "timeoutSec"),
        ({"start_by": timedelta(0)}, "startBySec"),
        ({"deadline": -SECOND}, "deadlineSec"),
        ({"heartbeat_timeout": timedelta(days=400)}, "heartbeatTimeoutSec"),
        ({"max_concurrent": 0}, "maxConcurrent"),
        ({"priority": 101}, "priority"),
        ({"priority": -101}, "priority"),
    ],
)
def test_terms_without_sense_are_refused(terms: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidError, match=field):
        Terms(**terms)  # type: ignore[arg-type]  # that is the point


class TestConcurrencyKeys:
    def of(self, pointer: str) -> JobTerms:
        return JobTerms(id=JobId(a_job().id), name="bills", queue="default", concurrency_key=pointer)

    @pytest.mark.parametrize(
        ("pointer", "payload", "key"),
        [
            ("/customer", '{"customer": "c-1"}', '"c-1"'),
            ("/customer/id", '{"customer": {"id": 7}}', "7"),
            ("/lines/1", '{"lines": ["a", "b"]}', '"b"'),
            ("/a~1b/c~0d", '{"a/b": {"c~d": true}}', "true"),
            ("/customer", '{"customer": {"b": 1, "a": 2}}', '{"a":2,"b":1}'),
        ],
    )
    def test_the_value_under_the_pointer_is_the_key(self, pointer: str, payload: str, key: str) -> None:
        assert self.of(pointer).key_in(Json(payload)) == key

    @pytest.mark.parametrize("payload", [None, "null", "[]", "{}", '{"customer": []}', '"customer"'])
    def test_what_is_not_there_limits_nothing(self, payload: str | None) -> None:
        assert self.of("/customer/0").key_in(payload and Json(payload)) is None

    def test_a_long_value_is_told_by_its_hash(self) -> None:
        key = self.of("/text").key_in(Json('{"text": "%s"}' % ("x" * 10_000)))

        assert key is not None
        assert len(key) == 64

    @pytest.mark.parametrize("pointer", ["", "customer", "/a~2", "/" + "x" * 500])
    def test_what_is_no_pointer_is_refused(self, pointer: str) -> None:
        with pytest.raises(InvalidError, match="concurrencyKey"):
            JobDefinition(name="bills", concurrency_key=pointer)


class TestReceivers:
    def test_all_that_goes_to_one_host_stands_in_one_lane(self) -> None:
        lanes = {HttpReceiver(url=url).lane for url in ("https://Hooks.example.com/a", "https://hooks.example.com/b?c")}

        assert lanes == {"https://hooks.example.com"}

    def test_the_lane_of_a_delivery_is_never_taken_for_a_jobs(self) -> None:
        receivers = (
            HttpReceiver(url="http://h"),
            EventReceiver("a.b"),
            QueueReceiver("a", "rabbit"),
            QueueReceiver("a"),
        )

        assert all(is_delivery_lane(receiver.lane) for receiver in receivers)
        assert not is_delivery_lane(str(a_job().id))

    def test_only_so_many_are_under_way_to_one_receiver(self) -> None:
        assert Delivery(receiver=HttpReceiver(url="http://h")).max_concurrent == AT_ONCE
        assert Delivery(receiver=QueueReceiver("a", "rabbit")).max_concurrent == AT_ONCE

    def test_the_bus_itself_has_no_such_bound(self) -> None:
        assert Delivery(receiver=EventReceiver("a")).max_concurrent is None
        assert Delivery(receiver=QueueReceiver("a")).max_concurrent is None

    @pytest.mark.parametrize(
        "url",
        ["", "ftp://h/", "http://", "http://user:pw@h/", "http://h:0/", "http://h:99999/", "http://h/ a", "http://h/ä"],
    )
    def test_a_url_that_cannot_be_called_is_refused(self, url: str) -> None:
        with pytest.raises(InvalidError, match=r"http\.url"):
            HttpReceiver(url=url)

    @pytest.mark.parametrize("name", ["Host", "webhook-id", "Webhook-Signature", "content-length", "a b", ""])
    def test_headers_that_are_rotas_own_or_none_are_refused(self, name: str) -> None:
        with pytest.raises(InvalidError, match=r"http\.headers"):
            HttpReceiver(url="http://h", headers=((name, "x"),))

    @pytest.mark.parametrize("topic", ["", "a..b", ".a", "a.*", "a.>", "a b", "x" * 201])
    def test_a_topic_that_is_none_is_refused(self, topic: str) -> None:
        with pytest.raises(InvalidError, match="eventTopic"):
            EventReceiver(topic)
