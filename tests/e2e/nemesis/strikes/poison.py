"""Runs whose handlers raise what nobody catches, hang, end their process, or use up its memory."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from uuid import UUID

from tests.e2e.nemesis.cluster import TENANT
from tests.e2e.nemesis.field import Field, NothingToStrikeError
from tests.e2e.nemesis.strike import Kind, Strike
from tests.e2e.nemesis.work import POISONED, POISONS

DOSES = {"poison.raise": 5, "poison.hang": 3, "poison.exit": 1, "poison.memory": 2}
PATIENCE = 10.0


async def poison(job: str, field: Field, strike: Strike) -> None:
    field.warden.known_ends.add(POISONED)
    try:
        made = await field.api.insist("POST", "/runs/batch", [{"job": job}] * DOSES[job], within=PATIENCE)
    except TimeoutError:
        raise NothingToStrikeError from None
    field.accepted.extend((TENANT, UUID(item["id"])) for item in made["items"])
    with field.noted(strike.kind, f"{DOSES[job]} runs", at_edge=True):
        pass


KINDS: Mapping[str, Kind] = {job: Kind(partial(poison, job), 1, fault="21") for job in POISONS}
