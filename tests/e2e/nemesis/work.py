"""The workers under test. Each handler writes its begin and its end to a journal of its own process, synced.

What ends a handler from outside (a kill, a lost attempt, a timeout) leaves a begin without an end. The journal's times
are those of the nemesis's clock, carried by the machine's monotonic one: a worker's own may be an hour off.
"""

from __future__ import annotations

import asyncio
import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from zlib import crc32

import orjson

from rota import Abort, JobContext, Worker
from rota.entrypoints.faults import checkpoint

NAME = f"{os.environ.get('NEMESIS_WORKER', 'worker')}-{os.getpid()}"
JOBS = ("chaos.quick", "chaos.slow", "chaos.thread", "chaos.flaky", "chaos.hopeless")
LIMITED = ("chaos.few", "chaos.keyed", "chaos.rated")
LONG = "chaos.long"
POISONS = ("poison.raise", "poison.hang", "poison.exit", "poison.memory")
RETRY = {"maxAttempts": 8, "backoff": {"kind": "FIXED", "initialSec": 0.5, "factor": 1, "maxSec": 1, "jitter": 0.2}}
GROWING = RETRY | {"backoff": {"kind": "EXPONENTIAL", "initialSec": 0.2, "factor": 2, "maxSec": 2, "jitter": 0.1}}
TWICE = RETRY | {"maxAttempts": 2}
POISONED = 66
"""The status with which a poisoned worker ends."""
MEMORY = 256 * 1024**2
"""Bytes that a handler may use up before there are no more."""

worker = Worker(name=NAME, concurrency=16)
at = checkpoint(os.environ.get("NEMESIS_POINTS", ""))
monotonic_zero = float(os.environ.get("NEMESIS_MONOTONIC_ZERO") or time.time() - time.monotonic())


class Journal:
    """One file per process; a line is on the disk before `write` returns."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / f"{NAME}.jsonl"
        self._file: int | None = None

    def write(self, ctx: JobContext, event: str) -> None:
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        now = datetime.fromtimestamp(monotonic_zero + time.monotonic(), UTC)
        line = {"runId": ctx.run_id, "attempt": ctx.attempt, "workerId": NAME, "event": event, "at": now}
        os.write(self._file, orjson.dumps(line) + b"\n")
        os.fdatasync(self._file)

    @contextmanager
    def around(self, ctx: JobContext) -> Iterator[None]:
        at("work.begun")
        self.write(ctx, "begin")
        at("work.doing")
        try:
            yield
        except Exception:
            self.write(ctx, "end")
            raise
        self.write(ctx, "end")
        at("work.done")


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


@worker.job("chaos.flaky", timeout=20, retry=GROWING)
async def flaky(ctx: JobContext) -> None:
    """Fails once or twice."""
    with journal.around(ctx):
        if ctx.attempt <= 1 + crc32(ctx.run_id.encode()) % 2:
            raise RuntimeError("not yet")


@worker.job("chaos.hopeless", timeout=20, retry=TWICE)
async def hopeless(ctx: JobContext) -> None:
    with journal.around(ctx):
        raise RuntimeError("never")


@worker.job(LONG, timeout=20, retry=RETRY)
async def long(ctx: JobContext) -> None:
    """From 0.5 to 2.5 s, longer than what fires it waits; one in eight is given up."""
    with journal.around(ctx):
        await asyncio.sleep(0.5 + 2 * chance(ctx))
        if crc32(ctx.run_id.encode()) % 8 == 0:
            raise Abort("never, and not again")


async def limited(ctx: JobContext) -> None:
    """From 0.05 to 0.35 s; one in eight has to stand in line a second time."""
    with journal.around(ctx):
        await asyncio.sleep(0.05 + 0.3 * chance(ctx))
        if ctx.attempt == 1 and crc32(ctx.run_id.encode()) % 8 == 0:
            raise RuntimeError("not yet")


for _name in LIMITED:
    worker.job(_name, timeout=20, retry=RETRY)(limited)


@worker.job("poison.raise", timeout=5, retry=TWICE)
async def poison_raise(ctx: JobContext) -> None:
    """Wants the whole program to end, and is not an Exception."""
    with journal.around(ctx):
        raise SystemExit("poisoned")


@worker.job("poison.hang", timeout=1, retry=TWICE)
async def poison_hang(ctx: JobContext) -> None:
    """Does not mind being cancelled."""
    with journal.around(ctx):
        for _ in range(4):
            try:
                await asyncio.sleep(2)
            except asyncio.CancelledError:
                continue


@worker.job("poison.exit", timeout=5, retry=TWICE)
async def poison_exit(ctx: JobContext) -> None:
    """Takes everything with it that the worker has in hand."""
    with journal.around(ctx):
        os._exit(POISONED)


@worker.job("poison.memory", timeout=5, retry=TWICE)
def poison_memory(ctx: JobContext) -> int:
    """Until there is no more: the whole process is then out of it for a moment."""
    with journal.around(ctx):
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        before = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, before[1]))
        held = []
        try:
            while True:
                held.append(bytearray(MEMORY // 16))
        finally:
            resource.setrlimit(resource.RLIMIT_AS, before)
