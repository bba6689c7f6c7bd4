"""Who carries deliveries in this process: opened with it, closed with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rota.application.deliver_runs import Carriers
from rota.application.ports.clock import Clock
from rota.domain.errors import InvalidError
from rota.entrypoints.settings import Settings, SettingsError
from rota.infrastructure.brokers.addresses import parse_brokers
from rota.infrastructure.brokers.carrier import BrokerCarrier
from rota.infrastructure.nats.provisioner import Provisioner
from rota.infrastructure.nats.publisher import Publisher
from rota.infrastructure.nats.topics import NatsTopicCarrier
from rota.infrastructure.webhooks.carrier import HttpCarrier
from rota.infrastructure.webhooks.signature import parse_secrets


@asynccontextmanager
async def carriers(
    settings: Settings, clock: Clock, publisher: Publisher, provisioner: Provisioner
) -> AsyncIterator[Carriers]:
    """Raises SettingsError."""
    try:
        secrets = parse_secrets(settings.webhook_hmac_secret)
        queues = BrokerCarrier(parse_brokers(settings.rota_brokers))
    except InvalidError as error:
        raise SettingsError(str(error)) from error
    try:
        async with HttpCarrier(clock, secrets=secrets, allow_private=settings.rota_webhooks_to_private) as http:
            yield Carriers(topics=NatsTopicCarrier(publisher, provisioner), queues=queues, http=http)
    finally:
        await queues.close()
