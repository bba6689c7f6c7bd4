"""Threads for plain handlers."""

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from rota.entrypoints.sdk.threads import Threads


@pytest.fixture
async def threads() -> AsyncIterator[Threads]:
    threads = Threads(3)
    yield threads
    threads.close()


async def outcome_of(threads: Threads, call: Any) -> tuple[Any, BaseException | None]:
    done: asyncio.Future[tuple[Any, BaseException | None]] = asyncio.get_running_loop().create_future()
    threads.submit(call, lambda value, error: done.set_result((value, error)))
    return await asyncio.wait_for(done, 10)


async def test_a_call_is_made_elsewhere_and_its_value_brought_here(threads: Threads) -> None:
    value, error = await outcome_of(threads, threading.get_ident)

    assert value != threading.get_ident()
    assert error is None


@pytest.mark.parametrize("raised", [ValueError("x"), SystemExit(1), KeyboardInterrupt()])
async def test_whatever_a_call_raises_is_brought_here_and_the_thread_lives_on(
    threads: Threads, raised: BaseException
) -> None:
    def call() -> None:
        raise raised

    assert await outcome_of(threads, call) == (None, raised)
    assert await outcome_of(threads, lambda: 1) == (1, None)


async def test_calls_at_once_have_a_thread_each_and_later_ones_use_them_again(threads: Threads) -> None:
    barrier = threading.Barrier(3)

    def meet() -> str:
        barrier.wait(10)
        return threading.current_thread().name

    names = await asyncio.gather(*[outcome_of(threads, meet) for _ in range(3)])
    again, _ = await outcome_of(threads, lambda: threading.current_thread().name)

    assert len({name for name, _ in names}) == 3
    assert again in {name for name, _ in names}


async def test_a_call_sees_the_context_variables_of_its_caller(threads: Threads) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    variable.set("here")

    assert await outcome_of(threads, variable.get) == ("here", None)


async def test_threads_do_not_keep_the_program_from_ending(threads: Threads) -> None:
    assert await outcome_of(threads, lambda: threading.current_thread().daemon) == (True, None)


@pytest.fixture
def exhausted(monkeypatch: pytest.MonkeyPatch) -> RuntimeError:
    """A machine that gives no thread more, which cannot be had otherwise without harming the one that tests."""
    refusal = RuntimeError("can't start new thread")

    def refuse(_thread: threading.Thread) -> None:
        raise refusal

    monkeypatch.setattr(threading.Thread, "start", refuse)
    return refusal


async def test_without_any_thread_a_call_has_failed_and_nothing_else_has(
    threads: Threads, exhausted: RuntimeError, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await outcome_of(threads, lambda: 1) == (None, exhausted)

    monkeypatch.undo()
    assert await outcome_of(threads, lambda: 2) == (2, None)


async def test_where_no_thread_more_is_given_a_call_waits_for_one_there_is(
    threads: Threads, request: pytest.FixtureRequest
) -> None:
    go = threading.Event()
    first = asyncio.create_task(outcome_of(threads, lambda: go.wait(10)))
    await asyncio.sleep(0)
    request.getfixturevalue("exhausted")

    second = asyncio.create_task(outcome_of(threads, threading.get_ident))
    await asyncio.sleep(0)
    go.set()

    assert await first == (True, None)
    ident, error = await second
    assert (ident != threading.get_ident(), error) == (True, None)
