"""Deliveries over HTTP, signed per Standard Webhooks 1.0."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from types import TracebackType
from typing import Self

import structlog

from rota.application.ports.clock import Clock
from rota.application.ports.deliveries import Delivered, Outcome, Parcel
from rota.domain.delivery import HttpReceiver
from rota.infrastructure.webhooks.answer import Answer, Fault, FaultError, judge, undelivered
from rota.infrastructure.webhooks.breaker import Circuit, CircuitBreaker, CircuitOpenError, Sign, Ticket
from rota.infrastructure.webhooks.exchange import BODY_GRACE, Exchange
from rota.infrastructure.webhooks.lookups import LookUp, SystemLookUp, on_behalf_of
from rota.infrastructure.webhooks.request import request_for
from rota.infrastructure.webhooks.signature import Signer

log = structlog.get_logger()

_FAILING = frozenset({Fault.TIMEOUT, Fault.CONNECTION, Fault.TLS})


class HttpCarrier:
    """The port `Carrier` for HttpReceiver; an asynchronous context, open while it is used.

    `secrets` as `parse_secrets` gives them, none to sign nothing. `allow_private` lets receivers have addresses
    inside. `clock` dates the signatures, `monotonic` (seconds) measures how long a receiver is left alone, and
    `body_grace` is how long in seconds an answer may go on whose status is known. Raises InvalidError for a secret.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        secrets: Sequence[str] = (),
        allow_private: bool = False,
        breaker: CircuitBreaker | None = None,
        look_up: LookUp | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        body_grace: float = BODY_GRACE,
    ) -> None:
        self._clock = clock
        self._signer = Signer(secrets)
        self._breaker = CircuitBreaker() if breaker is None else breaker
        self._monotonic = monotonic
        self._closing = AsyncExitStack()
        if look_up is None:
            look_up = system = SystemLookUp()
            self._closing.callback(system.close)
        self._exchange = Exchange(look_up, allow_private=allow_private, body_grace=body_grace)

    async def __aenter__(self) -> Self:
        await self._closing.enter_async_context(self._exchange)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._closing.aclose()

    async def carry(self, parcels: Sequence[Parcel], done: Callable[[Parcel, Outcome], None]) -> None:
        """All at once: how many there are is up to the caller, who also sees to it that no receiver has them all."""
        async with asyncio.TaskGroup() as tasks:
            for parcel in parcels:
                tasks.create_task(self._carry(parcel, done))

    async def _carry(self, parcel: Parcel, done: Callable[[Parcel, Outcome], None]) -> None:
        try:
            outcome = await self._deliver(parcel)
        except Exception:  # a neighbour must not suffer from what nobody thought of
            log.exception("delivery_broken", tenant_id=parcel.tenant_id, run_id=str(parcel.run_id))
            outcome = undelivered(Fault.UNFORESEEN, "the delivery broke inside Rota; its log tells why")
        done(parcel, outcome)

    async def _deliver(self, parcel: Parcel) -> Outcome:
        receiver = parcel.receiver
        assert isinstance(receiver, HttpReceiver), f"{type(receiver).__name__} is another carrier's"
        try:
            ticket = self._breaker.admit(Circuit(parcel.tenant_id, receiver.lane), self._monotonic())
        except CircuitOpenError as error:
            after = timedelta(seconds=error.retry_after)
            return undelivered(Fault.CIRCUIT_OPEN, "the receiver kept failing and is left alone", retry_after=after)
        sign = Sign.NONE
        try:
            answer = await self._send(parcel, receiver)
            outcome = judge(answer, receiver, self._clock.now())
            sign = Sign.ALIVE if isinstance(outcome, Delivered) or answer.status < 500 else Sign.FAILING
            return outcome
        except FaultError as error:
            sign = Sign.FAILING if error.fault in _FAILING else Sign.NONE
            return undelivered(error.fault, str(error))
        finally:
            self._settle(ticket, sign)

    async def _send(self, parcel: Parcel, receiver: HttpReceiver) -> Answer:
        """Raises FaultError."""
        on_behalf_of.set(parcel.tenant_id)
        try:
            request = request_for(parcel, receiver, self._signer, self._clock.now())
        except UnicodeEncodeError as error:
            raise FaultError(Fault.INVALID_REQUEST, "the body is no text that can be sent") from error
        return await self._exchange.send(request, parcel.timeout.total_seconds())

    def _settle(self, ticket: Ticket, sign: Sign) -> None:
        if self._breaker.settle(ticket, sign, self._monotonic()):
            log.warning("circuit_opened", tenant_id=ticket.circuit.tenant, receiver=ticket.circuit.lane)
