"""What a handler's end is reported as."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
from pydantic import BaseModel

from rota import Abort, Retry
from rota.entrypoints.sdk.outcome import MESSAGE_LIMIT, STACK_LIMIT, Outcome, final_report, raised, report, returned
from rota.entrypoints.sdk.wire import RESULT_LIMIT
from rota.entrypoints.sdk.work import Stop, WorkItem

ITEM = WorkItem("r1", 2, "j", {})


class Colour(Enum):
    RED = "red"


class Model(BaseModel):
    at: datetime


@dataclass
class Point:
    x: int


def error_of(outcome: Outcome) -> dict[str, Any]:
    assert outcome.kind == "FAILED"
    assert outcome.error is not None
    return dict(outcome.error)


def failure(error: BaseException) -> dict[str, Any]:
    try:
        raise error
    except BaseException as caught:
        return error_of(raised(caught, None, 60))


@pytest.mark.parametrize(
    ("value", "result"),
    [
        ("text", "text"),
        ({"a": [1, 2.5, None, True]}, {"a": [1, 2.5, None, True]}),
        (Model(at=datetime(2026, 1, 2, tzinfo=UTC)), {"at": "2026-01-02T00:00:00Z"}),
        (Point(3), {"x": 3}),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05Z"),
        (Colour.RED, "red"),
        (Decimal("1.10"), "1.10"),
        ({1: "one"}, {"1": "one"}),
        ([Point(1), {"deep": Model(at=datetime(2026, 1, 2, tzinfo=UTC))}], [{"x": 1}, {"deep": {"at": "2026-01-02T00:00:00Z"}}]),
    ],
)  # fmt: skip
def test_a_returned_value_is_a_result_in_json(value: object, result: object) -> None:
    outcome = returned(value)

    assert outcome.kind == "SUCCEEDED"
    assert json.loads(outcome.result or b"") == result


def test_returning_nothing_is_a_success_without_a_result() -> None:
    assert "result" not in json.loads(final_report(ITEM, "w1", returned(None)))


def test_a_result_at_the_limit_passes_and_one_above_does_not() -> None:
    assert returned("x" * (RESULT_LIMIT - 2)).kind == "SUCCEEDED"

    error = error_of(returned("x" * (RESULT_LIMIT - 1)))
    assert error["type"] == "ResultTooLarge"
    assert error["retryable"] is False


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_a_result_may_be_nested_64_deep() -> None:
    assert returned(nested(64)).kind == "SUCCEEDED"
    assert returned([[] for _ in range(1000)]).kind == "SUCCEEDED"
    assert returned("[" * 100).kind == "SUCCEEDED"
    assert error_of(returned(nested(65)))["type"] == "ResultTooDeep"


@pytest.mark.parametrize("value", [object(), 2**70, "\ud800", lambda: None])
def test_a_result_that_json_cannot_say_is_a_failure_for_good(value: object) -> None:
    error = error_of(returned(value))

    assert error["type"] == "ResultNotSerializable"
    assert error["retryable"] is False


def test_an_exception_is_a_retryable_failure_with_its_type_message_and_stack() -> None:
    error = failure(ValueError("no such page"))

    assert (error["type"], error["message"], error["retryable"]) == ("ValueError", "no such page", True)
    assert error["stack"].startswith("Traceback")
    assert "test_outcome.py" in error["stack"]


def test_retry_carries_its_delay() -> None:
    error = failure(Retry(after=2.5, message="later"))

    assert (error["type"], error["message"], error["retryable"]) == ("Retry", "later", True)
    assert error["retryAfterSec"] == 2.5


def test_retry_without_a_delay_leaves_it_to_the_backoff() -> None:
    assert "retryAfterSec" not in failure(Retry())


def test_abort_is_for_good_and_its_kinds_keep_their_names() -> None:
    class OrderGone(Abort):
        pass

    assert failure(Abort("gone"))["retryable"] is False
    assert failure(OrderGone("gone"))["type"].endswith("OrderGone")
    assert failure(OrderGone("gone"))["retryable"] is False


@pytest.mark.parametrize(
    ("stop", "kind", "error_type"),
    [(Stop.CANCEL, "CANCELLED", None), (Stop.RELEASE, "RELEASED", None), (Stop.TIMEOUT, "FAILED", "Timeout")],
)
def test_an_exception_after_being_asked_to_end_is_the_answer_to_that(stop: Stop, kind: str, error_type: str) -> None:
    outcome = raised(RuntimeError("interrupted"), stop, 60)

    assert outcome.kind == kind
    assert (outcome.error or {}).get("type") == error_type


def test_a_timeout_is_retryable_and_says_how_long_it_was() -> None:
    error = error_of(raised(TimeoutError(), Stop.TIMEOUT, 1.5))

    assert error == {"type": "Timeout", "message": "did not end within 1.5 s", "retryable": True}


def test_messages_and_stacks_are_bounded_and_clean() -> None:
    error = failure(ValueError("a\x00b\ud800" + "x" * 100_000))

    assert error["message"].startswith("a\ufffdb?xx")
    assert len(error["message"]) <= MESSAGE_LIMIT
    assert len(error["stack"]) <= STACK_LIMIT
    json.loads(final_report(ITEM, "w1", Outcome("FAILED", error=error)))


def test_an_exception_that_cannot_be_printed_is_reported_all_the_same() -> None:
    class Rude(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

    assert failure(Rude())["message"] == "(unprintable)"


def test_a_report_names_run_attempt_worker_and_time() -> None:
    body = json.loads(report(ITEM, "w1", "STARTED"))

    assert body.pop("at").endswith("Z")
    assert body == {"runId": "r1", "attempt": 2, "workerId": "w1", "kind": "STARTED"}
