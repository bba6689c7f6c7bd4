"""The worker that is measured: as plain as a worker can be."""

from __future__ import annotations

import asyncio
import os
import time

from rota import JobContext, Worker

NOOP = "bench.noop"
WHEN = "bench.when"
SLOW = "bench.slow"
SLOW_SECONDS = 0.05

worker = Worker(name=f"bench-{os.getpid()}")


@worker.job(NOOP, timeout=60)
async def noop(ctx: JobContext) -> None:
    """Nothing: what is left is the way there and back."""


@worker.job(SLOW, timeout=60)
async def slow(ctx: JobContext) -> None:
    """Takes a slot for a while, and no processor."""
    await asyncio.sleep(SLOW_SECONDS)


@worker.job(WHEN, timeout=60)
async def when(ctx: JobContext) -> float:
    """The moment at which it was carried out, in seconds since 1970."""
    return time.time()
