"""Processes that kill or stop themselves, or whose event loop stands still, at a point of the code that has a name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from tests.e2e.nemesis.field import Field, NothingToStrikeError
from tests.e2e.nemesis.process import Process
from tests.e2e.nemesis.strike import Kind, Strike

from rota.entrypoints.faults import BLOCKED

FIRING = ("fire.begun", "fire.advanced", "fire.before_commit", "fire.after_commit", "fire.after_send")
SERVING = ("intake.before_commit", "intake.after_commit", "relay.before_move")
WORKING = ("work.begun", "work.doing", "work.done")

PATIENCE = 3.0
"""Seconds in which somebody must pass the point."""
LOOK_EVERY = 0.01
STUCK = 70
"""The status with which the watchdog ends its process."""
WATCHDOG = 14.0
"""Seconds within which it must."""


async def at_point(point: str, action: str, field: Field, strike: Strike) -> None:
    """The warden brings back who has ended or stopped; that is noted as a fault of its own."""
    processes = await _passers(point, field, strike)
    async with _ordered(field, processes, f"{point}:{action}") as process:
        deposes = point in FIRING and field.cluster.elected
        at_edge = process in field.cluster.workers
        with field.noted(strike.kind, process.name, at_edge=at_edge, deposes=deposes):
            while process in field.warden.hands_off or process.is_stopped:
                await asyncio.sleep(LOOK_EVERY)


async def block_leader(field: Field, strike: Strike) -> None:
    """It cannot even notice that its lease runs out."""
    leader, leads = await field.leader(strike)
    with field.in_hand(leader):
        async with _ordered(field, [leader], "fire.begun:block"):
            with field.noted(strike.kind, leader.name, deposes=leads):
                await asyncio.sleep(BLOCKED)


async def jam_leader(field: Field, strike: Strike) -> None:
    """Its watchdog must end it."""
    leader, leads = await field.leader(strike)
    with field.in_hand(leader):
        async with _ordered(field, [leader], "fire.begun:jam"):
            with field.noted(strike.kind, leader.name, deposes=leads):
                await leader.has_ended(WATCHDOG)
                if leader.status != STUCK:
                    field.wrong.append(f"{leader.name}: its event loop stood still for {WATCHDOG:g} s, and it went on")
                    leader.kill()
                    await leader.has_ended(5.0)
                leader.start()
                await field.warden.is_back(leader)


async def _passers(point: str, field: Field, strike: Strike) -> Sequence[Process]:
    if point in FIRING:
        return [(await field.leader(strike))[0]] if field.cluster.elected else field.cluster.servers
    return field.cluster.servers if point in SERVING else field.cluster.workers


@asynccontextmanager
async def _ordered(field: Field, processes: Iterable[Process], order: str) -> AsyncIterator[Process]:
    """Whoever passes the point first. Raises NothingToStrikeError where nobody does."""
    files = {process: field.cluster.order_of(process) for process in processes if process.is_running}
    with field.taking(*files.values()):
        try:
            for file in files.values():
                fresh = file.with_suffix(".new")
                fresh.write_text(order)
                fresh.replace(file)
            obedient = await _first_to_obey(files)
        finally:
            for file in files.values():
                file.unlink(missing_ok=True)
        yield obedient


async def _first_to_obey(files: Mapping[Process, Path]) -> Process:
    until = asyncio.get_running_loop().time() + PATIENCE
    while asyncio.get_running_loop().time() < until:
        for process, file in files.items():
            if not file.exists():
                return process
        await asyncio.sleep(LOOK_EVERY)
    for process, file in files.items():
        if _is_obeyed_after_all(file):
            return process
    raise NothingToStrikeError


def _is_obeyed_after_all(file: Path) -> bool:
    """Takes the order back; whoever obeys takes it too, so that only one of both finds it."""
    try:
        file.unlink()
    except FileNotFoundError:
        return True
    return False


def _at_points(points: Sequence[str], fault: str) -> dict[str, Kind]:
    return {
        f"{point}:{action}": Kind(partial(at_point, point, action), fault=fault)
        for point in points
        for action in ("kill", "stop")
    }


KINDS: Mapping[str, Kind] = {
    **_at_points(FIRING, "1, 2"),
    **_at_points(SERVING, "1, 2"),
    **_at_points(WORKING, "6, 7"),
    "block_leader": Kind(block_leader, 2, fault="4"),
    "jam_leader": Kind(jam_leader, 1, fault="4"),
}
