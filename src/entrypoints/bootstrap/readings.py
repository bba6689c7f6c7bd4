"""Where a process finds the numbers that it tells of itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib.metadata import version

from sqlalchemy.ext.asyncio import AsyncEngine

from rota.application.follow_events import Followers
from rota.application.leadership import Leadership
from rota.entrypoints.metrics.readings import BusUse, PoolUse, Readings
from rota.entrypoints.settings import Settings
from rota.infrastructure.nats.connection import Connection
from rota.infrastructure.nats.publisher import Outcome, Publisher
from rota.infrastructure.postgres.engine import pool_of


def readings(
    roles: Collection[str],
    settings: Settings,
    *,
    pools: Mapping[str, AsyncEngine],
    connection: Connection,
    publishers: Mapping[str, Publisher],
    terms: Mapping[str, Leadership],
    followers: Followers,
) -> Readings:
    """Without an election every process with the role leader leads."""

    def leads() -> dict[str, bool]:
        held = {name: term.is_held for name, term in terms.items()}
        return held | ({"leader": "leader" in roles} if settings.rota_election == "off" else {})

    return Readings(
        pools=lambda: [_use_of(name, engine) for name, engine in pools.items()],
        bus=lambda: BusUse(connection.is_connected, connection.losses, _failures(publishers)),
        leads=leads,
        followers=lambda: len(followers),
        roles=frozenset(roles),
        version=version("rota"),
    )


def _use_of(name: str, engine: AsyncEngine) -> PoolUse:
    pool = pool_of(engine)
    return PoolUse(name, pool.size(), pool.checkedout(), pool.waits, pool.waited)


def _failures(publishers: Mapping[str, Publisher]) -> dict[tuple[str, str], int]:
    return {
        (name, outcome.value): publisher.failures[outcome]
        for name, publisher in publishers.items()
        for outcome in Outcome
    }
