"""Waiting for the first of several things."""

import asyncio
from collections.abc import Awaitable


async def first_of(*things: Awaitable[object], timeout: float | None = None) -> bool:
    """Waits until one of `things` is there; false when `timeout` seconds went by first. The others are cancelled."""
    waits = [asyncio.ensure_future(thing) for thing in things]
    try:
        done, _ = await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    return bool(done)
