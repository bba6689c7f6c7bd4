"""Short words on the bus that may get lost: orders to workers and carriers, nudges to the leader and to carriers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any
from uuid import UUID

import orjson
import structlog
from nats.errors import Error as NatsError

from rota.application.ports.bus import Control
from rota.application.views.workers import control_view
from rota.domain.ids import RunId, TenantId, WorkerId
from rota.infrastructure.nats import names
from rota.infrastructure.nats.connection import Connection

log = structlog.get_logger()

NUDGE_SUBJECT = "rota.nudge"
DELIVERIES_SUBJECT = "rota.deliveries"


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
    """Tells every process; only those that lead, or carry out deliveries, do something about it."""

    def __init__(self, connection: Connection, subject: str = NUDGE_SUBJECT) -> None:
        self._connection = connection
        self._subject = subject

    def __call__(self) -> None:
        if self._connection.is_connected:
            self._connection.write(f"PUB {self._subject} 0\r\n\r\n".encode())

    async def listen(self, nudged: Callable[[], None]) -> None:
        await self._connection.listen(self._subject, lambda *_: nudged())


class NatsOrders:
    """What `NatsWorkerControl` says to one carrier, whichever tenant it concerns."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def listen(self, carrier: WorkerId, obey: Callable[[Sequence[Control]], None]) -> None:
        def told(_subject: bytes, _reply: bytes, body: bytes, _header: bytes) -> None:
            try:
                orders = [_order(said) for said in orjson.loads(body)]
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                log.warning("orders_unreadable", carrier=str(carrier), error=str(error))
                return
            obey(orders)

        await self._connection.listen(names.control_subject("*", carrier), told)


def _order(said: dict[str, Any]) -> Control:  # Any: JSON
    run_id = said.get("runId")
    return Control(said["kind"], said.get("reason", ""), run_id and RunId(UUID(run_id)), said.get("attempt"))
