"""The worker of `rota demo`: quick work, and work that takes long enough to be interrupted."""

from __future__ import annotations

import asyncio
import os

from rota import JobContext, Worker

QUICK, LONG = "demo.quick", "demo.long"
LONG_SECONDS = 4.0

worker = Worker(name=os.environ.get("ROTA_DEMO_WORKER"), concurrency=8)


@worker.job(QUICK, timeout=10)
async def quick(ctx: JobContext, payload: object) -> str:
    return "done"


@worker.job(LONG, timeout=30)
async def long(ctx: JobContext, payload: object) -> str:
    await asyncio.sleep(LONG_SECONDS)
    return "done, after a while"
