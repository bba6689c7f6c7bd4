"""Reading work messages."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from rota.entrypoints.sdk.context import JobContext
from rota.entrypoints.sdk.work import MalformedWorkError, read_work

GOOD: dict[str, Any] = {
    "runId": "r1", "attempt": 2, "tenantId": "acme", "job": "j", "queue": "default", "payload": {"n": 1},
    "scheduledFor": "2026-03-29T01:00:00Z", "dueAt": "2026-03-29T01:00:00.25Z", "timeoutSec": 1.5, "deadline": None,
    "idempotencyKey": "key", "correlationId": "corr", "traceparent": None,
}  # fmt: skip


def test_a_context_shows_what_the_message_says() -> None:
    ctx = JobContext(read_work(json.dumps(GOOD).encode()), lambda fraction, note: None)

    assert (ctx.run_id, ctx.attempt, ctx.job, ctx.tenant_id) == ("r1", 2, "j", "acme")
    assert ctx.scheduled_for == datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert ctx.due_at == datetime(2026, 3, 29, 1, 0, 0, 250_000, tzinfo=UTC)
    assert (ctx.idempotency_key, ctx.correlation_id, ctx.traceparent) == ("key", "corr", None)
    assert ctx.cancelled is False


def test_a_newer_server_may_say_more_and_leave_out_what_is_optional() -> None:
    item = read_work(b'{"runId": "r1", "attempt": 1, "job": "j", "new": true}')

    assert (item.key, item.payload, item.timeout) == (("r1", 1), None, None)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"not json", b"[]", b"null", b'"x"', b"{}", b"[" * 100_000, b'{"runId": "\xff"}',
        json.dumps(GOOD | {"runId": 1}).encode(),
        json.dumps(GOOD | {"attempt": "1"}).encode(),
        json.dumps(GOOD | {"timeoutSec": "soon"}).encode(),
        json.dumps(GOOD | {"timeoutSec": -1}).encode(),
        json.dumps(GOOD | {"deadline": "soon"}).encode(),
        json.dumps(GOOD | {"deadline": "2026-03-29T01:00:00"}).encode(),
        json.dumps(GOOD | {"deadline": 5}).encode(),
    ],
)  # fmt: skip
def test_what_is_no_work_message_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedWorkError):
        read_work(data)


NOW = datetime(2026, 3, 29, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("timeout", "deadline", "limit"),
    [
        (60, None, 60),
        (60, "2026-03-29T01:00:30Z", 30),
        (60, "2026-03-29T01:05:00Z", 60),
        (60, "2026-03-29T03:00:30+02:00", 30),
        (60, "2026-03-29T00:59:59Z", 60),
        (None, "2026-03-29T01:00:30Z", 30),
        (None, None, None),
    ],
)
def test_a_handler_has_until_its_timeout_or_the_deadline_that_is_still_to_come(
    timeout: float | None, deadline: str | None, limit: float | None
) -> None:
    item = read_work(json.dumps(GOOD | {"timeoutSec": timeout, "deadline": deadline}).encode())

    assert item.time_limit(NOW) == limit


def test_progress_is_kept_between_0_and_1() -> None:
    told: list[tuple[float, str | None]] = []
    ctx = JobContext(read_work(json.dumps(GOOD).encode()), lambda fraction, note: told.append((fraction, note)))

    ctx.progress(0.5, "half")
    ctx.progress(7)
    ctx.progress(-1)

    assert told == [(0.5, "half"), (1.0, None), (0.0, None)]
