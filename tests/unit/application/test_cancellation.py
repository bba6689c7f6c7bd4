from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from rota.application.cancellation import cancellation_kept


async def swallow(*, failing: bool = False) -> None:
    """As a library does whose answer comes, or fails, in the moment of the cancellation."""
    with suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
    if failing:
        raise TimeoutError


@pytest.mark.parametrize("failing", [False, True])
async def test_a_cancellation_that_is_swallowed_inside_comes_out(failing: bool) -> None:
    async def ask() -> None:
        with cancellation_kept():
            await swallow(failing=failing)

    asking = asyncio.create_task(ask())
    await asyncio.sleep(0)

    asking.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_one_from_before_is_not_raised_again() -> None:
    async def leave() -> str:
        await swallow()
        with cancellation_kept():
            await asyncio.sleep(0)
        return "left in order"

    leaving = asyncio.create_task(leave())
    await asyncio.sleep(0)

    leaving.cancel()

    assert await leaving == "left in order"
