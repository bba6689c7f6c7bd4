"""The worker that is measured: as plain as a worker can be."""

from __future__ import annotations

import os
import time

from rota import JobContext, Worker

NOOP = "bench.noop"
WHEN = "bench.when"

worker = Worker(name=f"bench-{os.getpid()}")


@worker.job(NOOP, timeout=60)
async def noop(ctx: JobContext) -> None:
    """Nothing: what is left is the way there and back."""


@worker.job(WHEN, timeout=60)
async def when(ctx: JobContext) -> float:
    """The moment at which it was carried out, in seconds since 1970."""
    return time.time()
