"""Rota's own processes, started as a user starts them. They end with the benchmark, however that ends."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from rota.infrastructure.embedded.child import LAUNCH

ROOT = Path(__file__).parents[1]
LOOK_EVERY = 0.02
ENDS_WITHIN = 20.0


class BenchmarkError(Exception):
    """What stops a benchmark, told in a few lines."""


class Program:
    """One process. With `samples`, it counts where its time goes and writes it there when it ends (`sampling.py`)."""

    def __init__(
        self, *arguments: str, log: Path, environment: Mapping[str, str] | None = None, samples: Path | None = None
    ) -> None:
        self._log = log
        module = ["rota.entrypoints.cli", *arguments]
        sampled = ["benchmarks.sampling", str(samples)] if samples else []
        launch = [sys.executable, "-I", "-S", str(LAUNCH), str(os.getpid()), str(int(signal.SIGTERM)), "-1", "-1"]
        with log.open("ab") as sink:
            self._process = subprocess.Popen(
                [*launch, sys.executable, "-m", *sampled, *module],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env={**os.environ, **(environment or {})},
                process_group=0,  # Ctrl-C is for us alone; and the kernel wakes a stopped group when we die
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        if self.is_running:
            self._process.send_signal(number)

    async def end(self) -> None:
        """In its orderly way, if it finds it in time."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        deadline = time.monotonic() + ENDS_WITHIN
        while self.is_running and time.monotonic() < deadline:
            await asyncio.sleep(LOOK_EVERY)
        self.signal(signal.SIGKILL)
        await asyncio.to_thread(self._process.wait)

    def tail(self, lines: int = 8) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:])


@asynccontextmanager
async def running(program: Program) -> AsyncIterator[Program]:
    try:
        yield program
    finally:
        await program.end()


async def exists(path: Path, program: Program, within: float) -> None:
    """Raises BenchmarkError when the program ends before the file is there, or time is up."""
    deadline = time.monotonic() + within
    while not path.exists():
        if not program.is_running or time.monotonic() > deadline:
            raise BenchmarkError(f"the server did not start:\n{program.tail()}")
        await asyncio.sleep(LOOK_EVERY)
