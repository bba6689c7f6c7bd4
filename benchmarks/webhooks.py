"""How many webhooks a second one process sends, and what each costs it: `python -m benchmarks.webhooks`.

The receiver is a process of its own. Beside the deliveries that count there are as many, to a receiver of another
tenant that takes connections and never answers, as one receiver may have under way.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import uvloop
from aiohttp import web
from rich.console import Console
from uuid_utils.compat import uuid7

from benchmarks import machine, report
from benchmarks.figures import Figure, Outcome, medians, spread
from rota.application.ports.clock import Clock
from rota.application.ports.deliveries import Delivered, Parcel
from rota.application.ports.deliveries import Outcome as Told
from rota.domain.delivery import AT_ONCE, HttpReceiver
from rota.domain.ids import RunId, TenantId
from rota.infrastructure.webhooks.carrier import HttpCarrier

TITLE = "webhooks"
GOAL = 500.0
WEBHOOKS = 10_000
ROUNDS = 3
WARM_UP = 500
SECRETS = tuple("whsec_" + base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class WallClock(Clock):
    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass(slots=True)
class Load:
    """`count` deliveries over `AT_ONCE` lines, each of which sends its next one when it has its answer."""

    carrier: HttpCarrier
    url: str
    failed: int = 0
    taken_ms: list[float] = field(default_factory=list)

    async def send(self, count: int) -> None:
        bounds = [count * line // AT_ONCE for line in range(AT_ONCE + 1)]
        await asyncio.gather(*(self._line(last - first) for first, last in pairwise(bounds)))

    async def _line(self, count: int) -> None:
        for _ in range(count):
            began = time.perf_counter()
            await self.carrier.carry([a_parcel(self.url)], self._told)
            self.taken_ms.append((time.perf_counter() - began) * 1000)

    def _told(self, _: Parcel, outcome: Told) -> None:
        self.failed += not isinstance(outcome, Delivered)


async def measure(count: int) -> Outcome:
    outcome = Outcome(letter="w", title=TITLE)
    with a_receiver() as (receiver, answering, hanging):
        async with HttpCarrier(WallClock(), secrets=SECRETS, allow_private=True) as carrier:

            async def rounds(name: str) -> None:
                loads = [Load(carrier, answering) for _ in range(ROUNDS)]
                outcome.figures += medians([await measured(name, load, receiver, count) for load in loads])
                outcome.faults += [f"{load.failed} were not delivered {name}" for load in loads if load.failed]

            await Load(carrier, answering).send(min(count, WARM_UP))
            await rounds("alone")
            stuck = [a_parcel(hanging, "globex") for _ in range(AT_ONCE)]
            waiting = asyncio.create_task(carrier.carry(stuck, lambda *_: None))
            await rounds("beside a hanging receiver")
            if waiting.done():
                outcome.faults.append("the hanging receiver did not hang")
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
    return outcome


async def measured(name: str, load: Load, receiver: psutil.Process, count: int) -> list[Figure]:
    own = psutil.Process()
    cpu, theirs, began = _cpu(own), _cpu(receiver), time.perf_counter()
    await load.send(count)
    seconds = time.perf_counter() - began
    return [
        Figure(name=f"webhooks a second, {name}", value=count / seconds, at_least=GOAL),
        Figure(name=f"CPU per webhook, {name}", value=(_cpu(own) - cpu) / count * 1e6, unit="µs"),
        Figure(name=f"CPU of its receiver, {name}", value=(_cpu(receiver) - theirs) / count * 1e6, unit="µs"),
        *spread(f"from call to outcome, {name}", load.taken_ms),
    ]


def a_parcel(url: str, tenant: str = "acme") -> Parcel:
    return Parcel(
        tenant_id=TenantId(tenant),
        run_id=RunId(uuid7()),
        attempt=1,
        schedule_id=None,
        receiver=HttpReceiver(url=url),
        payload=None,
        scheduled_for=NOON,
        due_at=NOON,
        timeout=timedelta(hours=1),
        correlation_id=None,
        traceparent=None,
    )


@contextmanager
def a_receiver() -> Iterator[tuple[psutil.Process, str, str]]:
    """A process of its own, and its two addresses: one answers, one never does. It ends with its input."""
    command = [sys.executable, "-m", "benchmarks.webhooks", "--receive"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        answering, hanging = process.stdout.readline().split()
        yield psutil.Process(process.pid), answering, hanging
        process.stdin.close()


async def receive() -> None:
    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return web.json_response({"ok": True})

    async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    application = web.Application()
    application.router.add_post("/", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    silent = await asyncio.start_server(hang, "127.0.0.1", 0)
    addresses = [runner.addresses[0][1], silent.sockets[0].getsockname()[1]]
    print(*(f"http://127.0.0.1:{port}/" for port in addresses), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    os._exit(0)  # connections may be open, and nobody waits for them


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.webhooks", description=__doc__)
    parser.add_argument("--webhooks", type=int, default=WEBHOOKS, help="in each round")
    parser.add_argument("--receive", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.receive:
        uvloop.run(receive())
        return
    console = Console(highlight=False, soft_wrap=True)
    with TemporaryDirectory(prefix="rota-bench-") as directory:
        condition = machine.condition(Path(directory))
    console.print(f"load {condition['loadBefore']}, a fixed calculation {condition['calculationMs']} ms")
    outcome = uvloop.run(measure(given.webhooks))
    report.show(console, [outcome])
    if outcome.faults:
        sys.exit(1)


if __name__ == "__main__":
    main()
