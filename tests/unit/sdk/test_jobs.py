"""Declaring a job: what a handler may look like, what it is given, what the server is told."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from rota.entrypoints.sdk.context import JobContext
from rota.entrypoints.sdk.jobs import HandlerExitError, Job
from rota.entrypoints.sdk.outcome import InvalidPayloadError
from rota.entrypoints.sdk.work import WorkItem


class Report(BaseModel):
    kind: str
    pages: int = 1


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)
    at: datetime


@dataclass
class Mail:
    to: str


def a_job(handler: Any, **options: Any) -> Job:
    return Job(name="j", handler=handler, **options)


def a_context() -> JobContext:
    return JobContext(WorkItem("r1", 1, "j", {}), lambda fraction, note: None)


def given(handler: Any, payload: object) -> object:
    """What a plain handler returns for this payload."""
    return a_job(handler).call_sync(a_context(), payload)


def test_a_payload_becomes_what_the_annotation_says() -> None:
    def takes_model(ctx: JobContext, payload: Report) -> Any:
        return payload

    def takes_dataclass(ctx: JobContext, payload: Mail) -> Any:
        return payload

    def takes_list(ctx: JobContext, payload: list[timedelta]) -> Any:
        return payload

    assert given(takes_model, {"kind": "full"}) == Report(kind="full", pages=1)
    assert given(takes_dataclass, {"to": "a@b"}) == Mail("a@b")
    assert given(takes_list, [90]) == [timedelta(seconds=90)]


def test_a_strict_model_reads_dates_from_json_strings() -> None:
    def takes_strict(ctx: JobContext, payload: Strict) -> Any:
        return payload.at.year

    assert given(takes_strict, {"at": "2026-01-02T03:04:05Z"}) == 2026


def test_without_an_annotation_the_payload_comes_as_it_is() -> None:
    payload = {"any": [1, None]}

    assert given(lambda ctx, payload: payload, payload) is payload


def test_a_handler_may_do_without_the_payload() -> None:
    assert given(lambda ctx: ctx.run_id, {"ignored": True}) == "r1"


def test_a_bad_payload_names_the_fields_and_keeps_their_values_to_itself() -> None:
    def takes_model(ctx: JobContext, payload: Report) -> None: ...

    with pytest.raises(InvalidPayloadError) as refused:
        given(takes_model, {"kind": 7, "pages": "secret"})

    message = str(refused.value)
    assert "payload.kind: Input should be a valid string" in message
    assert "payload.pages:" in message
    assert "secret" not in message


def test_a_missing_payload_is_a_bad_one() -> None:
    def takes_model(ctx: JobContext, payload: Report) -> None: ...

    with pytest.raises(InvalidPayloadError, match="^payload: "):
        given(takes_model, None)


async def test_an_async_handler_is_awaited() -> None:
    async def handler(ctx: JobContext, payload: int) -> int:
        return payload + 1

    job = a_job(handler)

    assert job.is_async
    assert await job.call(a_context(), 41) == 42


def test_partial_and_callable_objects_are_known_for_what_they_are() -> None:
    async def handler(extra: int, ctx: JobContext, payload: int) -> int:
        return extra

    class Callable:
        async def __call__(self, ctx: JobContext, payload: Report) -> None: ...

    assert a_job(partial(handler, 1)).is_async
    assert a_job(Callable()).is_async
    assert not a_job(lambda ctx: None).is_async


@pytest.mark.parametrize("handler", [lambda: None, lambda a, b, c: None, lambda ctx, *, needed: None])
def test_a_handler_of_another_shape_is_refused_where_it_is_declared(handler: Any) -> None:
    with pytest.raises(TypeError, match=r"\(ctx, payload\) or \(ctx\)"):
        a_job(handler)


def test_an_annotation_that_cannot_be_read_is_refused_where_the_job_is_declared() -> None:
    def handler(ctx: JobContext, payload: "Nowhere") -> None: ...  # type: ignore[name-defined] # noqa: F821 - the point

    with pytest.raises(TypeError, match="annotation cannot be read"):
        a_job(handler)


def test_a_handler_that_exits_ends_its_attempt_and_not_the_worker() -> None:
    def handler(ctx: JobContext) -> None:
        raise SystemExit(3)

    with pytest.raises(HandlerExitError, match=r"sys.exit\(3\)"):
        given(handler, None)


def test_the_server_is_told_only_what_was_said() -> None:
    assert a_job(lambda ctx: None).as_wire() == {"name": "j", "queue": "default"}


def test_the_server_is_told_all_that_was_said() -> None:
    job = a_job(
        lambda ctx: None,
        queue="bi",
        timeout=timedelta(minutes=5),
        max_attempts=5,
        retry={"backoff": {"kind": "FIXED", "initialSec": 2}},
        capabilities=["gpu"],
    )

    assert job.as_wire() == {
        "name": "j",
        "queue": "bi",
        "timeoutSec": 300.0,
        "retry": {"maxAttempts": 5, "backoff": {"kind": "FIXED", "initialSec": 2}},
        "capabilities": ["gpu"],
    }
