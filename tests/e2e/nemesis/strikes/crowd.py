"""A thousand schedules that are due in one second, beside all others."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
from tests.e2e.nemesis.api import ApiError
from tests.e2e.nemesis.away import AWAY
from tests.e2e.nemesis.cluster import TENANT
from tests.e2e.nemesis.field import Field, NothingToStrikeError
from tests.e2e.nemesis.strike import Kind, Strike

Definition: TypeAlias = dict[str, Any]  # Any: JSON
MEMBERS, BATCH = 1_000, 250
AHEAD = timedelta(seconds=4)
"""From their making to the second in which they are due."""
DRAINED_WITHIN = 60.0
"""Seconds, beside whatever other faults there are."""
LOOK_EVERY = 0.1
LABEL = "crowd"

_FIRED = (
    "SELECT (SELECT count(*) FROM runs WHERE labels ->> $1 = $2 AND fired_at IS NOT NULL)"
    " + (SELECT count(*) FROM misses JOIN schedules ON id = schedule_id WHERE schedules.labels ->> $1 = $2)"
)


async def crowd(field: Field, strike: Strike) -> None:
    """Lasts from the second in which they are due until each has its run or its miss."""
    name = str(strike.at)
    due = datetime.now(UTC) + AHEAD
    made = await _make(field, _definitions(name, due, random.Random(strike.draw)))
    if not made:
        raise NothingToStrikeError
    await asyncio.sleep((due - datetime.now(UTC)).total_seconds())
    with field.noted(strike.kind, f"{made} schedules"):
        if not await _have_fired(field, name, made):
            field.wrong.append(f"{made} schedules due in one second have not fired {DRAINED_WITHIN:g} s later")


def _definitions(name: str, due: datetime, chance: random.Random) -> list[Definition]:
    return [
        {
            "name": f"{LABEL} {name} {number}",
            "trigger": {"type": "ONE_SHOT", "startAt": (due + timedelta(seconds=chance.random())).isoformat()},
            "target": {"kind": "JOB", "job": "chaos.quick"},
            "misfire": {"policy": "FIRE_ONCE", "graceSec": 60},
            "labels": {LABEL: name},
        }
        for number in range(MEMBERS)
    ]


async def _make(field: Field, definitions: Sequence[Definition]) -> int:
    """How many the API accepted; others, whose fate nobody knows, may be there as well."""
    accepted = 0
    for first in range(0, len(definitions), BATCH):
        try:
            made = await field.api.ask("POST", "/schedules/batch", definitions[first : first + BATCH])
        except ApiError as error:
            field.wrong.append(str(error))
            continue
        items = made["items"] if made else []
        field.accepted.extend((TENANT, UUID(item["id"])) for item in items)
        accepted += len(items)
    return accepted


async def _have_fired(field: Field, name: str, wanted: int) -> bool:
    until = asyncio.get_running_loop().time() + DRAINED_WITHIN
    while asyncio.get_running_loop().time() < until:
        if await _fired(field, name) >= wanted:
            return True
        await asyncio.sleep(LOOK_EVERY)
    return False


async def _fired(field: Field, name: str) -> int:
    """0 where the database is away."""
    try:
        connection = await asyncpg.connect(field.cluster.postgres.url, timeout=2, command_timeout=2, ssl=False)
    except AWAY:
        return 0
    try:
        return int(await connection.fetchval(_FIRED, LABEL, name))
    except AWAY:
        return 0
    finally:
        connection.terminate()


KINDS: Mapping[str, Kind] = {"crowd": Kind(crowd, 1, fault="30")}
