"""The worker that is measured: as plain as a worker can be."""

from __future__ import annotations

import os

from rota import JobContext, Worker

NOOP = "bench.noop"

worker = Worker(name=f"bench-{os.getpid()}")


@worker.job(NOOP, timeout=60)
async def noop(ctx: JobContext) -> None:
    """Nothing: what is left is the way there and back."""
