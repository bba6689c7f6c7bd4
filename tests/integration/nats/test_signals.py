"""Short words on a real bus: nudges by subject, and orders for one carrier from any tenant."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from rota.application.ports.bus import Control
from rota.domain.ids import RunId, TenantId, WorkerId
from rota.infrastructure.memory.clock import CountingIds
from rota.infrastructure.nats import names
from rota.infrastructure.nats.connection import Connection
from rota.infrastructure.nats.signals import DELIVERIES_SUBJECT, NatsNudge, NatsOrders, NatsWorkerControl

next_id = CountingIds()
CARRIER, OTHER = WorkerId(next_id()), WorkerId(next_id())

Wait = Callable[[Callable[[], object]], Awaitable[None]]


@pytest.fixture
async def obeyed(nc: Connection) -> list[Control]:
    obeyed: list[Control] = []
    await NatsOrders(nc).listen(CARRIER, obeyed.extend)
    await nc.flush()
    return obeyed


async def test_a_carrier_hears_its_orders_whichever_tenant_they_concern(
    nc: Connection, obeyed: list[Control], eventually: Wait
) -> None:
    orders = [Control("CANCEL", "not wanted", RunId(next_id()), 3), Control("LOST", "", RunId(next_id()), 1)]
    foreign = Control("CANCEL", "of another", RunId(next_id()), 1)

    await NatsWorkerControl(nc).tell(
        [
            (TenantId("acme"), OTHER, foreign),
            (TenantId("acme"), CARRIER, orders[0]),
            (TenantId("globex"), CARRIER, orders[1]),
        ]
    )

    await eventually(lambda: len(obeyed) == 2)
    assert obeyed == orders


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'[{"reason":""}]', b'[{"kind":"CANCEL","runId":"7"}]'])
async def test_what_is_no_order_changes_nothing(
    nc: Connection, obeyed: list[Control], eventually: Wait, body: bytes
) -> None:
    order = Control("DRAIN", "asked to")

    await nc.publish(names.control_subject("acme", CARRIER), body)
    await NatsWorkerControl(nc).tell([(TenantId("acme"), CARRIER, order)])

    await eventually(lambda: obeyed)
    assert obeyed == [order]


async def test_a_nudge_wakes_only_those_who_listen_to_its_subject(nc: Connection, eventually: Wait) -> None:
    woken: list[str] = []
    await NatsNudge(nc).listen(lambda: woken.append("leader"))
    await NatsNudge(nc, DELIVERIES_SUBJECT).listen(lambda: woken.append("carrier"))
    await nc.flush()

    NatsNudge(nc, DELIVERIES_SUBJECT)()
    NatsNudge(nc)()

    await eventually(lambda: len(woken) == 2)
    assert woken == ["carrier", "leader"]
