"""Starts the receiver of webhooks, and tells where it listens."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
from tests.e2e.nemesis.process import LEASH, LOOK_EVERY
from tests.e2e.nemesis.receiver import PORTS

PROGRAM = Path(__file__).with_name("receiver.py")


@asynccontextmanager
async def receiving(directory: Path, pid: int, within: float = 20.0) -> AsyncIterator[Mapping[str, str]]:
    """Its URLs by the way each behaves. It ends with the block, or with the process `pid`. Raises TimeoutError."""
    with (directory / "receiver.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(LEASH), str(pid), sys.executable, str(PROGRAM), str(directory)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=asyncio.subprocess.STDOUT,
        )
    try:
        async with asyncio.timeout(within):
            while not (directory / PORTS).exists():
                await asyncio.sleep(LOOK_EVERY)
        ports = orjson.loads((directory / PORTS).read_bytes())
        yield {name: f"http://127.0.0.1:{port}/{name}" for name, port in ports.items()}
    finally:
        process.kill()
        await process.wait()
