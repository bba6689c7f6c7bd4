"""What an answer means."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from tests.support.builders import NOON, SECOND
from tests.unit.webhooks.parcels import URL

from rota.application.ports.deliveries import Delivered, Undelivered
from rota.domain.delivery import HttpReceiver
from rota.infrastructure.webhooks.answer import Answer, judge, retry_after

RECEIVER = HttpReceiver(url=URL)
YEAR = timedelta(days=366)


def refusal(answer: Answer, receiver: HttpReceiver = RECEIVER) -> Undelivered:
    outcome = judge(answer, receiver, NOON)
    assert isinstance(outcome, Undelivered)
    return outcome


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_a_success(status: int) -> None:
    assert isinstance(judge(Answer(status), RECEIVER, NOON), Delivered)


def test_expected_statuses_take_the_place_of_2xx() -> None:
    receiver = HttpReceiver(url=URL, expect_status=(304, 410, 503))

    assert all(isinstance(judge(Answer(status), receiver, NOON), Delivered) for status in (304, 410, 503))
    assert refusal(Answer(200), receiver).error.message == "the receiver answered 200"


@pytest.mark.parametrize("status", [101, 400, 401, 404, 409, 422, 429, 500, 501, 503, 599])
def test_any_other_status_is_a_failure_worth_another_try(status: int) -> None:
    undelivered = refusal(Answer(status))

    assert undelivered.error.type == "HttpStatus"
    assert undelivered.error.message == f"the receiver answered {status}"
    assert undelivered.retryable
    assert not undelivered.is_gone


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_a_redirect_is_a_failure_not_worth_another_try(status: int) -> None:
    undelivered = refusal(Answer(status))

    assert undelivered.error.type == "HttpRedirect"
    assert not undelivered.retryable


def test_a_receiver_that_is_gone_wants_no_more() -> None:
    undelivered = refusal(Answer(410, retry_after="60"))

    assert undelivered.is_gone
    assert not undelivered.retryable
    assert undelivered.retry_after is None


def test_what_was_said_is_kept_with_failures_too() -> None:
    outcome = judge(Answer(200, b'{"ok": true}'), RECEIVER, NOON)

    assert isinstance(outcome, Delivered)
    assert outcome.answer is not None
    assert json.loads(outcome.answer) == {"status": 200, "body": '{"ok": true}'}
    assert json.loads(refusal(Answer(500, b"sorry")).answer or "") == {"status": 500, "body": "sorry"}


def test_an_answer_that_is_no_text_is_kept_as_text_that_postgres_takes() -> None:
    kept = Answer(200, b"a\0b\xff\xc3").kept()

    assert json.loads(kept)["body"] == "a\ufffdb\ufffd\ufffd"
    assert "\\u0000" not in kept


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        (None, None),
        ("", None),
        ("0", timedelta(0)),
        ("120", 120 * SECOND),
        (" 7 ", 7 * SECOND),
        ("Mon, 02 Mar 2026 12:00:30 GMT", 30 * SECOND),
        ("Monday, 02-Mar-26 12:00:30 GMT", 30 * SECOND),
        ("Mon Mar  2 12:00:30 2026", 30 * SECOND),
        ("Mon, 02 Mar 2026 14:00:30 +0200", 30 * SECOND),
        ("Mon, 02 Mar 2026 11:00:00 GMT", timedelta(0)),
        ("Fri, 31 Dec 9999 23:59:59 GMT", YEAR),
        ("31622401", YEAR),
        ("9" * 5000, YEAR),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("٣", None),
        ("Mon, 99 Mar 2026 12:00:30 GMT", None),
        ("Mon, 02 Mar 99999999 12:00:30 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_at_most_a_year(header: str | None, wait: timedelta | None) -> None:
    assert retry_after(header, NOON) == wait


@pytest.mark.parametrize("status", [404, 429, 500, 503])
def test_any_failing_receiver_may_say_when_to_come_again(status: int) -> None:
    assert refusal(Answer(status, retry_after="120")).retry_after == 120 * SECOND
