"""What Rota answers on the bus by FastStream: heartbeats.

Events are published by the relay, windowed and acknowledged (`docs/decisions/`). Streams and consumers are the
provisioner's alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog
from faststream import ExceptionMiddleware, Path
from faststream.nats import NatsBroker
from nats.errors import Error as NatsError
from pydantic import ValidationError

from rota.application.cancellation import cancellation_kept
from rota.application.ports.bus import Control
from rota.application.take_heartbeats import Heartbeat
from rota.application.views.workers import control_view
from rota.domain.errors import RotaError
from rota.domain.ids import tenant_id
from rota.entrypoints.bus.heartbeat import HeartbeatIn

log = structlog.get_logger()

QUEUE = "heartbeats"
AT_ONCE = 500
STOP_TIMEOUT = 5.0


def make_broker(url: str, take: Callable[[Heartbeat], Awaitable[Sequence[Control]]]) -> NatsBroker:
    """Answers heartbeats once started. Several processes share them by a queue group."""
    refused = ExceptionMiddleware(publish_handlers={ValidationError: _unreadable, RotaError: _refused})
    broker = NatsBroker(
        url,
        name="rota-heartbeats",
        max_reconnect_attempts=-1,
        reconnect_time_wait=1,
        ping_interval=2,
        max_outstanding_pings=2,
        logger=None,
        middlewares=[refused],
    )

    @broker.subscriber(
        "scheduler.beat.{tenant}",
        queue=QUEUE,
        max_workers=AT_ONCE,
        title="Heartbeats",
        description="Request and reply: a worker says what it runs, and is told what concerns it.",
    )
    async def beat(body: HeartbeatIn, tenant: str = Path()) -> list[dict[str, Any]]:  # Any: JSON
        orders = await take(body.to_heartbeat(tenant_id(tenant)))
        return [control_view(order) for order in orders]

    return broker


async def start_broker(broker: NatsBroker) -> None:
    """Listens from now on. A cancellation on the way, which its way of connecting swallows on Python 3.11, is kept."""
    with cancellation_kept():
        await broker.start()


async def stop_broker(broker: NatsBroker) -> None:
    """Answers what it has been asked, then leaves; within seconds, and also where the bus is away."""
    connection = broker._connection  # FastStream can only drain it, which an absent server does not answer
    try:
        async with asyncio.timeout(STOP_TIMEOUT):
            await broker.stop()
    except (NatsError, OSError, TimeoutError) as error:
        log.warning("heartbeats_not_drained", error=f"{type(error).__name__}: {error}")
        if connection is not None:
            await connection.close()


def _unreadable(error: ValidationError) -> dict[str, Any]:  # Any: JSON
    faults = [{"field": ".".join(map(str, each["loc"])), "message": each["msg"]} for each in error.errors()]
    return {"type": "urn:rota:error:invalid", "status": 422, "errors": faults}


def _refused(error: RotaError) -> dict[str, Any]:  # Any: JSON
    log.warning("heartbeat_refused", error=str(error))
    return {"type": f"urn:rota:error:{error.code}", "detail": str(error)}
