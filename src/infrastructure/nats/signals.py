"""Short words on the bus that may get lost: orders to workers, nudges to the leader."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby

import orjson
import structlog
from nats.errors import Error as NatsError

from rota.application.ports.bus import Control
from rota.application.views import control_view
from rota.domain.ids import TenantId, WorkerId
from rota.infrastructure.nats import names
from rota.infrastructure.nats.connection import Connection

log = structlog.get_logger()

NUDGE_SUBJECT = "rota.nudge"


class NatsWorkerControl:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def tell(self, orders: Iterable[tuple[TenantId, WorkerId, Control]]) -> None:
        told = sorted(orders, key=lambda order: (order[0], order[1]))
        if not told or not self._connection.is_connected:
            return
        for (tenant_id, worker_id), group in groupby(told, key=lambda order: order[:2]):
            body = orjson.dumps([control_view(order) for _, _, order in group], default=str)
            try:
                await self._connection.publish(names.control_subject(tenant_id, worker_id), body)
            except NatsError as error:
                log.warning("worker_not_told", worker_id=str(worker_id), error=str(error))


class NatsNudge:
    """Tells every process; only the one that leads does something about it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __call__(self) -> None:
        if self._connection.is_connected:
            self._connection.write(f"PUB {NUDGE_SUBJECT} 0\r\n\r\n".encode())

    async def listen(self, nudged: Callable[[], None]) -> None:
        await self._connection.listen(NUDGE_SUBJECT, lambda *_: nudged())
