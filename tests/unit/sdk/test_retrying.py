"""What is tried again, when, and for how long."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from structlog.testing import capture_logs

from rota import (
    ConflictError,
    InvalidError,
    NotFoundError,
    Rota,
    RotaError,
    RotaSync,
    StaleVersionError,
    UnavailableError,
    UnreachableError,
)
from rota.entrypoints.sdk.call import delete, get, patch, post
from rota.entrypoints.sdk.models import Run
from rota.entrypoints.sdk.retrying import Effort

RUN = {"id": "r1", "state": "QUEUED", "cause": "API"}
LATE = format_datetime(datetime(2026, 1, 2, 9, 0, 10, tzinfo=UTC), usegmt=True)
NOW = format_datetime(datetime(2026, 1, 2, 9, tzinfo=UTC), usegmt=True)

ASK = get("/runs/r1", Run)
ORDER = post("/runs", Run, {})
CHANGE = patch("/schedules/s1", Run, {}, None)
EXACT_CHANGE = patch("/schedules/s1", Run, {}, 7)
REMOVE = delete("/schedules/s1")
CALLS = [ASK, ORDER, CHANGE, EXACT_CHANGE, REMOVE]

LOST = httpx.ReadTimeout("no answer")
NOBODY = httpx.ConnectError("refused")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def an_effort(call: object = ASK, patience: float = 30.0, timeout: float = 10.0, clock: Clock | None = None) -> Effort:
    effort = Effort(call, patience, timeout, clock or Clock())  # type: ignore[arg-type]
    effort.begin()
    return effort


def an_answer(status: int, code: str = "", **headers: str) -> httpx.Response:
    problem = {"type": f"urn:rota:error:{code}", "status": status}
    return httpx.Response(status, json=problem, headers={name.replace("_", "-"): value for name, value in headers.items()})  # fmt: skip


@pytest.mark.parametrize("call", CALLS)
def test_what_the_server_has_not_done_is_tried_again(call: object) -> None:
    assert an_effort(call).after_answer(an_answer(429)) > 0


@pytest.mark.parametrize("call", CALLS)
def test_what_could_not_be_sent_is_tried_again(call: object) -> None:
    assert an_effort(call).after_silence(NOBODY, "http://rota.test") > 0


@pytest.mark.parametrize("call", [ASK, ORDER, CHANGE, REMOVE])
def test_what_may_have_been_done_is_tried_again_where_twice_is_once(call: object) -> None:
    assert an_effort(call).after_answer(an_answer(502)) > 0
    assert an_effort(call).after_answer(an_answer(503)) > 0
    assert an_effort(call).after_silence(LOST, "http://rota.test") > 0


def test_a_change_of_one_version_is_not_tried_again_when_it_may_have_been_made() -> None:
    """The server would refuse the second for what the first has done."""
    with pytest.raises(UnavailableError):
        an_effort(EXACT_CHANGE).after_answer(an_answer(504))
    with pytest.raises(UnavailableError):
        an_effort(EXACT_CHANGE).after_answer(an_answer(503))
    with pytest.raises(UnreachableError):
        an_effort(EXACT_CHANGE).after_silence(LOST, "http://rota.test")


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, InvalidError), (404, NotFoundError), (409, ConflictError), (412, StaleVersionError), (422, InvalidError), (500, RotaError)],
)  # fmt: skip
def test_a_refusal_is_final(status: int, kind: type[RotaError]) -> None:
    with pytest.raises(kind) as refused:
        an_effort(ORDER).after_answer(an_answer(status, "some-code"))

    assert (refused.value.status, refused.value.code) == (status, "some-code")


def test_a_first_try_that_still_goes_on_is_waited_for() -> None:
    assert an_effort(ORDER).after_answer(an_answer(409, "in-flight", Retry_After="1")) > 1


def test_what_an_earlier_try_may_have_deleted_is_found_gone() -> None:
    effort = an_effort(REMOVE)
    effort.after_silence(LOST, "http://rota.test")

    assert effort.has_worked(an_answer(404))


def test_what_was_never_there_is_not_found() -> None:
    effort = an_effort(REMOVE)
    effort.after_silence(NOBODY, "http://rota.test")

    assert not effort.has_worked(an_answer(404))


def test_waits_double_with_jitter_up_to_a_limit() -> None:
    effort = an_effort(patience=1e9)

    waits = [effort.after_answer(an_answer(503)) for _ in range(10)]

    steps = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0, 5.0]
    assert all(step / 2 <= wait <= step for step, wait in zip(steps, waits, strict=True))


@pytest.mark.parametrize(
    ("headers", "least"),
    [
        ({"Retry_After": "10"}, 10.0),
        ({"Retry_After": LATE, "Date": NOW}, 10.0),
        ({"Retry_After": NOW, "Date": LATE}, 0.0),
        ({"Retry_After": "soon"}, 0.0),
        ({"Retry_After": "-5"}, 0.0),
        ({}, 0.0),
    ],
)
def test_the_server_says_how_long_to_wait_in_seconds_or_by_a_date(headers: dict[str, str], least: float) -> None:
    wait = an_effort().after_answer(an_answer(503, **headers))

    assert least < wait < least + 11


def test_a_date_is_held_against_our_own_clock_where_the_server_does_not_tell_its_own() -> None:
    tomorrow = format_datetime(datetime.now(UTC) + timedelta(days=1), usegmt=True)

    with pytest.raises(UnavailableError) as refused:
        an_effort().after_answer(an_answer(503, Retry_After=tomorrow))

    assert refused.value.retry_after is not None
    assert refused.value.retry_after > 80_000


def test_patience_ends() -> None:
    clock = Clock()
    effort = an_effort(patience=30.0, clock=clock)
    clock.now = 29.99

    with pytest.raises(UnavailableError):
        effort.after_answer(an_answer(503))


def test_nobody_waits_longer_than_his_patience_in_vain() -> None:
    with pytest.raises(UnavailableError) as refused:
        an_effort(patience=30.0).after_answer(an_answer(429, "rate-limited", Retry_After="60"))

    assert refused.value.retry_after == 60


def test_without_patience_there_is_one_try() -> None:
    with pytest.raises(UnreachableError, match="no server answers at http://rota.test: refused"):
        an_effort(patience=0).after_silence(NOBODY, "http://rota.test")


def test_a_later_try_takes_no_longer_than_is_left() -> None:
    clock = Clock()
    effort = Effort(ASK, 30.0, 10.0, clock)

    first = effort.begin()
    clock.now = 25.0
    later = effort.begin()
    clock.now = 40.0
    last = effort.begin()

    assert (first, later, last) == (10.0, 5.0, 0.1)


def test_an_address_that_is_none_is_told_at_once() -> None:
    with pytest.raises(UnreachableError):
        an_effort().after_silence(httpx.UnsupportedProtocol("missing http://"), "rota.test")


class Flaky:
    """Fails as it is told to, then answers; keeps the idempotency keys."""

    def __init__(self, *failures: int | Exception) -> None:
        self._failures = list(failures)
        self.keys: list[str | None] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.keys.append(request.headers.get("Idempotency-Key"))
        if not self._failures:
            return httpx.Response(201, json=RUN)
        failure = self._failures.pop(0)
        if isinstance(failure, Exception):
            raise failure
        return an_answer(failure)


Outcome = tuple[str, Sequence[str | None]]


async def asynchronously(flaky: Flaky) -> str:
    async with Rota("http://rota.test", "t", transport=httpx.MockTransport(flaky)) as rota:
        return (await rota.run("x")).id


async def blocking(flaky: Flaky) -> str:
    with RotaSync("http://rota.test", "t", transport=httpx.MockTransport(flaky)) as rota:
        return rota.run("x").id


@pytest.mark.parametrize("ask", [asynchronously, blocking])
async def test_all_tries_of_a_call_have_one_idempotency_key(ask: Callable[[Flaky], object]) -> None:
    flaky = Flaky(503, LOST)

    with capture_logs() as told:
        run_id = await ask(flaky)  # type: ignore[misc]

    assert run_id == "r1"
    assert len(flaky.keys) == 3
    assert len(set(flaky.keys)) == 1
    assert [each["event"] for each in told] == ["call_repeated", "call_repeated"]


async def test_the_first_refusal_ends_it() -> None:
    flaky = Flaky(404, 404)

    with pytest.raises(NotFoundError):
        await asynchronously(flaky)

    assert len(flaky.keys) == 1
