"""The report stream as intake reads it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from rota.application.ports.bus import ReportMessage
from rota.domain.errors import UnavailableError
from rota.infrastructure.nats import names
from rota.infrastructure.nats.configs import INTAKE_ACK_WAIT_SEC
from rota.infrastructure.nats.connection import Connection
from rota.infrastructure.nats.consumer import ConsumerGoneError, Delivery, PullConsumer
from rota.infrastructure.nats.provisioner import Provisioner

log = structlog.get_logger()

PAUSE = 0.5
LEAST = 0.005
"""An empty fetch lasts at least this long, whatever made it return: the loop around it must not spin."""


@dataclass(frozen=True, slots=True)
class _Taken(ReportMessage):
    delivery: Delivery


class NatsReportInbox:
    """A consumer that is gone is made anew; the loop that reads need not know."""

    def __init__(self, connection: Connection, provisioner: Provisioner) -> None:
        self._consumer = PullConsumer(connection, names.REPORTS, names.INTAKE, ack_wait=INTAKE_ACK_WAIT_SEC)
        self._provisioner = provisioner

    async def fetch(self, limit: int, timeout: float) -> Sequence[ReportMessage]:
        try:
            found = await self._consumer.fetch(limit, timeout)
        except ConsumerGoneError as error:
            log.warning("intake_consumer_gone", error=str(error))
            await self._repair()
            return []
        if not found:
            await asyncio.sleep(LEAST)
        return [_Taken(each.subject, each.body, each.seq, each) for each in found]

    async def acknowledge(self, messages: Sequence[ReportMessage]) -> None:
        self._consumer.ack_all([message.delivery for message in messages if isinstance(message, _Taken)])

    async def _repair(self) -> None:
        try:
            await self._provisioner.ensure_intake()
        except UnavailableError as error:
            log.warning("bus_not_repaired", error=str(error))
            await asyncio.sleep(PAUSE)
