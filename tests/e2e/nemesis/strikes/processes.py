"""Servers and workers that are killed, stopped, asked to go, deceived about the election, or given another time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AbstractContextManager

from tests.e2e.nemesis.cluster import SERVER_END, WORKER_END
from tests.e2e.nemesis.field import Field
from tests.e2e.nemesis.process import Process
from tests.e2e.nemesis.skew import can_skew, skewed, straight
from tests.e2e.nemesis.strike import Kind, Strike

LAST_MOMENT = 1.0
"""Seconds from SIGTERM to SIGKILL, where both come."""
HOUR = 3600
AGAIN_AFTER = 0.5


async def kill_leader(field: Field, strike: Strike) -> None:
    process, leads = await field.leader(strike)
    await _kill(field, strike, process, deposes=leads)


async def stop_leader(field: Field, strike: Strike) -> None:
    process, leads = await field.leader(strike)
    await _stop(field, strike, process, deposes=leads)


async def end_leader(field: Field, strike: Strike) -> None:
    process, leads = await field.leader(strike)
    await _end(field, strike, process, deposes=leads)


async def kill_server(field: Field, strike: Strike) -> None:
    await _kill(field, strike, field.server(strike))


async def stop_server(field: Field, strike: Strike) -> None:
    await _stop(field, strike, field.server(strike))


async def hurry_server(field: Field, strike: Strike) -> None:
    """SIGTERM, and SIGKILL a second later."""
    await _hurry(field, strike, field.server(strike))


async def kill_worker(field: Field, strike: Strike) -> None:
    await _kill(field, strike, field.worker(strike))


async def stop_worker(field: Field, strike: Strike) -> None:
    await _stop(field, strike, field.worker(strike))


async def end_worker(field: Field, strike: Strike) -> None:
    await _end(field, strike, field.worker(strike))


async def hurry_worker(field: Field, strike: Strike) -> None:
    await _hurry(field, strike, field.worker(strike))


async def deceive_server(field: Field, strike: Strike) -> None:
    """It believes that it leads, whoever else does."""
    await _deceive(field, strike, field.server(strike))


async def deceive_all(field: Field, strike: Strike) -> None:
    await _deceive(field, strike, *field.cluster.servers)


async def skew_server(field: Field, strike: Strike) -> None:
    await _skew(field, strike, field.server(strike))


async def skew_worker(field: Field, strike: Strike) -> None:
    await _skew(field, strike, field.worker(strike))


async def _kill(field: Field, strike: Strike, process: Process, *, deposes: bool = False) -> None:
    with field.in_hand(process), _noted(field, strike, process, deposes=deposes):
        process.kill()
        await process.has_ended(5.0)
        await asyncio.sleep(strike.lasts)
        await _start(field, process)


async def _stop(field: Field, strike: Strike, process: Process, *, deposes: bool = False) -> None:
    with field.in_hand(process), _noted(field, strike, process, deposes=deposes):
        process.freeze()
        await asyncio.sleep(strike.lasts)
        process.thaw()


async def _end(field: Field, strike: Strike, process: Process, *, deposes: bool = False) -> None:
    with field.in_hand(process), _noted(field, strike, process, deposes=deposes):
        await _ask_to_end(field, process)
        await asyncio.sleep(strike.lasts)
        await _start(field, process)


async def _hurry(field: Field, strike: Strike, process: Process) -> None:
    with field.in_hand(process), _noted(field, strike, process):
        process.ask_to_end()
        await process.has_ended(LAST_MOMENT)
        process.kill()
        await process.has_ended(5.0)
        await asyncio.sleep(strike.lasts)
        await _start(field, process)


async def _deceive(field: Field, strike: Strike, *processes: Process) -> None:
    with field.in_hand(*processes), field.noted(strike.kind, " ".join(process.name for process in processes)):
        for process in processes:
            await _again(field, process, ROTA_ELECTION="off")
        await asyncio.sleep(strike.lasts)
        for process in processes:
            await _again(field, process, ROTA_ELECTION="on" if field.cluster.elected else "off")


async def _skew(field: Field, strike: Strike, process: Process) -> None:
    seconds = HOUR if strike.draw * 7 % 1 < 0.5 else -HOUR
    with field.in_hand(process), _noted(field, strike, process):
        await _again(field, process, **await asyncio.to_thread(skewed, field.cluster.directory, seconds))
        await asyncio.sleep(strike.lasts)
        await _again(field, process, **straight())


async def _again(field: Field, process: Process, **environment: str) -> None:
    await _ask_to_end(field, process)
    await _start(field, process, **environment)


async def _ask_to_end(field: Field, process: Process) -> None:
    within = SERVER_END if process in field.cluster.servers else WORKER_END
    if wrong := await process.end(within, field.warden.known_ends):
        field.wrong.append(wrong)


async def _start(field: Field, process: Process, **environment: str) -> None:
    """Again and again, as whoever keeps a service running does: without a database a server does not even start."""
    process.start(**environment)
    while not await field.warden.is_back(process):
        await asyncio.sleep(AGAIN_AFTER)
        process.start()


def _noted(field: Field, strike: Strike, process: Process, *, deposes: bool = False) -> AbstractContextManager[None]:
    return field.noted(strike.kind, process.name, at_edge=process in field.cluster.workers, deposes=deposes)


KINDS: Mapping[str, Kind] = {
    "kill_leader": Kind(kill_leader, 4, (0.2, 3), fault="1"),
    "stop_leader": Kind(stop_leader, 4, (1, 8), (20, 60), fault="2"),
    "end_leader": Kind(end_leader, 3, (0.2, 1), fault="17"),
    "kill_server": Kind(kill_server, 1, (0.2, 3), fault="1"),
    "stop_server": Kind(stop_server, 1, (1, 6), fault="2"),
    "hurry_server": Kind(hurry_server, 1, (0.2, 1), fault="17"),
    "kill_worker": Kind(kill_worker, 3, (0.2, 5), fault="6"),
    "stop_worker": Kind(stop_worker, 3, (1, 14), (20, 40), fault="7"),
    "end_worker": Kind(end_worker, 2, (0.2, 2), fault="17"),
    "hurry_worker": Kind(hurry_worker, 2, (0.2, 2), fault="17"),
    "deceive_server": Kind(deceive_server, 2, (3, 8), fault="3"),
    "deceive_all": Kind(deceive_all, 1, (3, 8), fault="3"),
} | (
    {
        "skew_server": Kind(skew_server, 1, (4, 8), fault="18"),
        "skew_worker": Kind(skew_worker, 1, (4, 8), fault="18"),
    }
    if can_skew()
    else {}
)
