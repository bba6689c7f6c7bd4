"""Following the events on the bus."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import nats
import orjson
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.api import ConsumerConfig, DeliverPolicy

STREAM = "ROTA_EVENTS"
AGGREGATES = ("schedule", "job", "calendar", "run", "worker")
MATTERS = ("job", "state", "attempt", "scheduledFor", "workerId", "reason", "name", "first", "last", "count", "rule")


FIRST_ANSWER = 5.0


class BusAwayError(Exception):
    """One line."""


async def tail_events(
    url: str, tenant: str, kind: str, *, since: float | None, count: int | None, as_json: bool
) -> None:
    """Raises BusAwayError, and ValueError for a `kind` that there is not."""
    wanted = subjects(tenant, kind)
    async with bus(url) as client:
        seen = 0
        async for event in follow(client, wanted, since=since):
            print(orjson.dumps(event).decode() if as_json else line(event), flush=True)
            seen += 1
            if seen == count:
                return


@asynccontextmanager
async def bus(url: str) -> AsyncIterator[Client]:
    try:
        async with asyncio.timeout(FIRST_ANSWER):
            client = await nats.connect(url, name="rota-cli", connect_timeout=3, error_cb=_quiet)
    except (NatsError, OSError, TimeoutError) as error:
        raise BusAwayError(f"no NATS server answers at NATS_URL: {error or type(error).__name__}") from error
    try:
        yield client
    finally:
        await client.close()


async def _quiet(error: Exception) -> None:
    """The client tries again by itself."""


async def follow(
    client: Client, wanted: Sequence[str], *, since: float | None = None
) -> AsyncIterator[dict[str, Any]]:  # Any: JSON
    """New events, or all of the last `since` seconds and then the new ones."""
    waiting: asyncio.Queue[bytes] = asyncio.Queue()

    async def take(message: Any) -> None:  # Any: nats-py's Msg
        waiting.put_nowait(message.data)

    for subject in wanted:
        if since is None:
            await client.subscribe(subject, cb=take)
        else:
            start = datetime.now(UTC) - timedelta(seconds=since)
            config = ConsumerConfig(deliver_policy=DeliverPolicy.BY_START_TIME, opt_start_time=start)
            await client.jetstream().subscribe(subject, stream=STREAM, cb=take, ordered_consumer=True, config=config)
    while True:
        yield orjson.loads(await waiting.get())


def subjects(tenant: str, kind: str) -> list[str]:
    """`run.failed` is one event, `run` or `run.*` all of an aggregate; either with `scheduler.` before it, or not.

    Raises ValueError.
    """
    aggregate, _, event = kind.removeprefix("scheduler.").partition(".")
    if aggregate not in ("*", *AGGREGATES):
        raise ValueError(f"--type: must be as in run.failed or run.*, of one of {', '.join(AGGREGATES)}, or *")
    wanted = AGGREGATES if aggregate == "*" else (aggregate,)
    return [f"scheduler.{each}.{event or '*'}.{tenant}" for each in wanted]


def line(event: dict[str, Any]) -> str:  # Any: JSON
    data = event["data"]
    facts = " ".join(f"{name}={data[name]}" for name in MATTERS if data.get(name) not in (None, ""))
    kind = event["type"].removeprefix("scheduler.")
    return f"{event['time']} {event['tenantid']} {kind:<18} {event['subject']} {facts}"
