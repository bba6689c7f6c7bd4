"""The workers under test. Each handler writes its begin and its end to a journal of its own process, synced.

What ends a handler from outside (a kill, a lost attempt, a timeout) leaves a begin without an end.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from zlib import crc32

import orjson

from rota import JobContext, Worker

NAME = f"{os.environ.get('NEMESIS_WORKER', 'worker')}-{os.getpid()}"
JOBS = ("chaos.quick", "chaos.slow", "chaos.thread", "chaos.flaky", "chaos.hopeless")
RETRY = {"maxAttempts": 8, "backoff": {"kind": "FIXED", "initialSec": 0.5, "factor": 1, "maxSec": 1, "jitter": 0.2}}

worker = Worker(name=NAME, concurrency=16)


class Journal:
    """One file per process; a line is on the disk before `write` returns."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._file = os.open(directory / f"{NAME}.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write(self, ctx: JobContext, event: str) -> None:
        line = {"runId": ctx.run_id, "attempt": ctx.attempt, "workerId": NAME, "event": event, "at": datetime.now(UTC)}
        os.write(self._file, orjson.dumps(line) + b"\n")
        os.fdatasync(self._file)

    @contextmanager
    def around(self, ctx: JobContext) -> Iterator[None]:
        self.write(ctx, "begin")
        try:
            yield
        except Exception:
            self.write(ctx, "end")
            raise
        self.write(ctx, "end")


journal = Journal(Path(os.environ.get("NEMESIS_JOURNALS", ".")))


def chance(ctx: JobContext) -> float:
    """A fixed number in [0, 1) for each attempt."""
    return crc32(f"{ctx.run_id}:{ctx.attempt}".encode()) / 2**32


@worker.job("chaos.quick", timeout=20, retry=RETRY)
async def quick(ctx: JobContext) -> None:
    with journal.around(ctx):
        pass


@worker.job("chaos.slow", timeout=20, retry=RETRY)
async def slow(ctx: JobContext) -> float:
    """From 0.2 to 2 s."""
    with journal.around(ctx):
        pause = 0.2 + 1.8 * chance(ctx)
        await asyncio.sleep(pause)
    return pause


@worker.job("chaos.thread", timeout=20, retry=RETRY)
def thread(ctx: JobContext) -> None:
    with journal.around(ctx):
        time.sleep(0.2 * chance(ctx))


@worker.job("chaos.flaky", timeout=20, retry=RETRY)
async def flaky(ctx: JobContext) -> None:
    """Fails once or twice."""
    with journal.around(ctx):
        if ctx.attempt <= 1 + crc32(ctx.run_id.encode()) % 2:
            raise RuntimeError("not yet")


@worker.job("chaos.hopeless", timeout=20, retry=RETRY | {"maxAttempts": 2})
async def hopeless(ctx: JobContext) -> None:
    with journal.around(ctx):
        raise RuntimeError("never")
