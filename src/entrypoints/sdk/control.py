"""What the server tells a worker: in the answer to a heartbeat, or between two of them."""

from collections.abc import Callable
from typing import Any, Final

import structlog

from rota.entrypoints.sdk import wire
from rota.entrypoints.sdk.carrying import Carrier
from rota.entrypoints.sdk.roster import Roster
from rota.entrypoints.sdk.work import Attempt, Stop

log = structlog.get_logger("rota.worker")

_STOPS: Final = {"CANCEL": Stop.CANCEL, "TIMEOUT": Stop.TIMEOUT, "LOST": Stop.LOST}


class Control:
    """Does as it is told. What it cannot read or does not know it leaves, and says so: a newer server may say more."""

    def __init__(
        self, roster: Roster, carrier: Carrier, drain: Callable[[], None], given_up: Callable[[], None]
    ) -> None:
        self._roster = roster
        self._carrier = carrier
        self._drain = drain
        self._given_up = given_up

    def obey(self, data: bytes) -> None:
        for order in _orders(data):
            self._do(order)

    def _do(self, order: dict[str, Any]) -> None:
        kind = order.get("kind")
        log.info("told", kind=kind, run_id=order.get("runId"), reason=order.get("reason"))
        if kind == "DRAIN":
            self._drain()
        elif kind == "REGISTER":
            self._given_up()
        elif isinstance(kind, str) and kind in _STOPS:
            self._stop(_STOPS[kind], order)
        else:
            log.warning("order_unknown", order=order)

    def _stop(self, why: Stop, order: dict[str, Any]) -> None:
        for attempt in self._roster.of_run(str(order.get("runId"))):
            if _concerns(order.get("attempt"), attempt, why):
                self._carrier.stop(attempt, why)


def _concerns(number: object, attempt: Attempt, why: Stop) -> bool:
    """An order without an attempt is for all of the run; LOST is for the earlier attempts too."""
    if not isinstance(number, int):
        return number is None
    return attempt.item.attempt <= number if why is Stop.LOST else attempt.item.attempt == number


def _orders(data: bytes) -> list[dict[str, Any]]:
    try:
        orders = wire.decode(data) if data else []
    except ValueError:
        orders = None
    if isinstance(orders, dict):
        orders = [orders]
    if not isinstance(orders, list):
        log.warning("orders_unreadable", data=data[:200])
        return []
    return [order for order in orders if isinstance(order, dict)]
