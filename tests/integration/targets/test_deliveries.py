"""Deliveries on real servers: carried once, over the death of their carrier, and given up when they are not wanted."""

from __future__ import annotations

import asyncio
import signal
from datetime import timedelta

import nats
import orjson
from nats.js.errors import NotFoundError
from sqlalchemy import select
from standardwebhooks import Webhook

from rota.application.cancel_run import CancelRun
from rota.application.ports.leases import carrier_lease
from rota.domain.attempt import Outcome
from rota.domain.delivery import AT_ONCE, Delivery, QueueReceiver
from rota.domain.retry import Backoff, BackoffKind, RetryPolicy
from rota.domain.run import Run
from rota.domain.run_events import RunState
from rota.entrypoints.settings import Settings
from rota.infrastructure.postgres.engine import transaction
from rota.infrastructure.postgres.tables import rejected_reports

from .conftest import (
    SECRET,
    House,
    Receiver,
    a_carrier_of_its_own,
    a_process,
    a_receiver,
    sooner_or_later,
    to_http,
    to_topic,
)

AT_ONCE_AGAIN = RetryPolicy(backoff=Backoff(kind=BackoffKind.FIXED, initial=timedelta(milliseconds=50), jitter=0))
DONE = (RunState.SUCCEEDED, RunState.DEAD, RunState.CANCELLED)


async def stored_on(settings: Settings, subject: str) -> list[nats.js.api.RawStreamMsg]:
    async with await nats.connect(settings.nats_url) as client:
        stream = client.jetstream()
        found = []
        after = 0
        while True:
            try:
                message = await stream.get_msg("ROTA_TOPICS", seq=after + 1, subject=subject, next=True)
            except NotFoundError:
                return found
            found.append(message)
            after = message.seq or 0


async def test_an_event_is_on_the_bus_and_its_run_has_succeeded(house: House) -> None:
    schedule = await house.schedule(to_topic("orders.paid"))

    async with a_process(house.settings, ("targets",)):
        run = await house.fire(schedule.id, '{"order":9}')
        ended = await house.comes_to(run, *DONE)

    assert ended.state is RunState.SUCCEEDED
    (message,) = await stored_on(house.settings, f"topic.{house.tenant}.orders.paid")
    event = orjson.loads(message.data or b"")
    assert (event["id"], event["data"]) == (str(run.id), {"order": 9})


async def test_a_queue_on_the_bus_has_the_payload(house: House) -> None:
    schedule = await house.schedule(Delivery(receiver=QueueReceiver("mails")))

    async with a_process(house.settings, ("targets",)):
        await house.comes_to(await house.fire(schedule.id, '{"to":"ada"}'), RunState.SUCCEEDED)

    (message,) = await stored_on(house.settings, f"topic.{house.tenant}.mails")
    assert message.data == b'{"to":"ada"}'


async def test_a_receiver_over_http_gets_a_signed_request_and_its_answer_is_the_result(
    house: House, receiver: Receiver
) -> None:
    schedule = await house.schedule(to_http(receiver))

    async with a_process(house.settings, ("targets",)):
        run = await house.fire(schedule.id, '{"order":9}')
        ended = await house.comes_to(run, *DONE)

    assert ended.state is RunState.SUCCEEDED
    assert ended.result is not None
    assert orjson.loads(ended.result)["status"] == 200
    (request,) = receiver.received
    Webhook(SECRET).verify(receiver.bodies[0], dict(request.headers))
    assert request.headers["webhook-id"] == str(run.id)


async def test_an_event_whose_carrier_died_before_it_was_recorded_is_stored_once(house: House) -> None:
    schedule = await house.schedule(to_topic("orders.paid"))

    with a_carrier_of_its_own(house.settings, fault="settle.before_commit:kill:1") as dying:
        run = await house.fire(schedule.id)
        await asyncio.to_thread(dying.wait, 20)
    async with a_process(house.settings, ("targets",)):
        ended = await house.comes_to(run, *DONE)

    assert (ended.state, ended.attempt) == (RunState.SUCCEEDED, 2)
    assert len(await stored_on(house.settings, f"topic.{house.tenant}.orders.paid")) == 1


async def test_what_a_killed_carrier_had_under_way_is_carried_by_another(house: House, receiver: Receiver) -> None:
    receiver.hangs = True
    schedule = await house.schedule(to_http(receiver))

    with a_carrier_of_its_own(house.settings):
        run = await house.fire(schedule.id)
        await sooner_or_later(lambda: _has(receiver, 1))
    receiver.hangs = False
    async with a_process(house.settings, ("targets",)):
        ended = await house.comes_to(run, *DONE)

    assert (ended.state, ended.attempt) == (RunState.SUCCEEDED, 2)
    assert [attempt.outcome for attempt in ended.attempts] == [Outcome.LOST]
    assert [request.headers["webhook-id"] for request in receiver.received] == [str(run.id)] * 2


async def test_a_stopped_carrier_that_goes_on_has_lost_its_run_and_its_word_no_longer_counts(
    house: House, receiver: Receiver
) -> None:
    receiver.hangs = True
    schedule = await house.schedule(to_http(receiver))

    with a_carrier_of_its_own(house.settings) as stopped:
        run = await house.fire(schedule.id)
        await sooner_or_later(lambda: _has(receiver, 1))
        stopped.send_signal(signal.SIGSTOP)
        receiver.hangs = False
        async with a_process(house.settings, ("targets",)):
            ended = await house.comes_to(run, *DONE)
        stopped.send_signal(signal.SIGCONT)
        await sooner_or_later(lambda: _is_rejected(house, run))

    assert (ended.state, ended.attempt) == (RunState.SUCCEEDED, 2)
    assert (await house.again(run)).seq == ended.seq


async def test_a_carrier_that_was_killed_while_it_claimed_costs_no_run(house: House) -> None:
    schedule = await house.schedule(to_topic("orders.paid"))

    with a_carrier_of_its_own(house.settings, fault="claim.after_commit:kill:1") as dying:
        run = await house.fire(schedule.id)
        await asyncio.to_thread(dying.wait, 20)
    async with a_process(house.settings, ("targets",)):
        ended = await house.comes_to(run, *DONE)

    assert ended.state is RunState.SUCCEEDED


async def test_a_cancellation_reaches_a_receiver_that_hangs(house: House, receiver: Receiver) -> None:
    receiver.hangs = True
    schedule = await house.schedule(to_http(receiver))

    async with a_process(house.settings, ("targets",)):
        run = await house.fire(schedule.id)
        await sooner_or_later(lambda: _has(receiver, 1))
        await house.server.wired.bus.handle(CancelRun(tenant_id=house.tenant, run_id=run.id, reason="not wanted"))
        ended = await house.comes_to(run, *DONE)

        assert ended.state is RunState.CANCELLED
        assert ended.cancel_acknowledged_at is not None
        await sooner_or_later(lambda: _left(receiver, 1))


async def test_an_attempt_whose_time_is_up_is_given_up_by_its_carrier(house: House, receiver: Receiver) -> None:
    receiver.hangs = True
    once = RetryPolicy(max_attempts=1)
    schedule = await house.schedule(to_http(receiver, timeout=timedelta(seconds=0.2), retry=once))

    async with a_process(house.settings, ("targets",)):
        ended = await house.comes_to(await house.fire(schedule.id), *DONE)

        assert ended.state is RunState.DEAD
        await sooner_or_later(lambda: _left(receiver, 1))


async def test_a_receiver_that_is_gone_disables_its_schedule(house: House, receiver: Receiver) -> None:
    receiver.status = 410
    schedule = await house.schedule(to_http(receiver))

    async with a_process(house.settings, ("targets",)):
        ended = await house.comes_to(await house.fire(schedule.id), *DONE)

    assert ended.state is RunState.DEAD
    assert not (await house.server.reads.schedule(house.tenant, schedule.id)).enabled


async def test_a_failing_receiver_is_asked_again_until_it_answers(house: House, receiver: Receiver) -> None:
    receiver.status = 503
    schedule = await house.schedule(to_http(receiver, retry=AT_ONCE_AGAIN))

    async with a_process(house.settings, ("targets",)):
        run = await house.fire(schedule.id)
        await sooner_or_later(lambda: _has(receiver, 1))
        receiver.status = 200
        ended = await house.comes_to(run, *DONE)

    assert ended.state is RunState.SUCCEEDED
    assert ended.attempts[0].answer is not None
    assert orjson.loads(ended.attempts[0].answer)["status"] == 503


async def test_a_receiver_that_hangs_holds_up_no_other(house: House, receiver: Receiver) -> None:
    receiver.hangs = True
    hanging = await house.schedule(to_http(receiver))
    async with a_receiver() as quick, a_process(house.settings, ("targets",)):
        for _ in range(AT_ONCE + 10):
            await house.fire(hanging.id)
        await sooner_or_later(lambda: _has(receiver, AT_ONCE))
        schedule = await house.schedule(to_http(quick))
        runs = [await house.fire(schedule.id) for _ in range(5)]

        for run in runs:
            await house.comes_to(run, RunState.SUCCEEDED)

        assert len(receiver.received) == AT_ONCE
        await abandon_all(house)


async def test_a_process_that_is_stopped_hands_back_what_hangs_and_its_lease_is_free(
    house: House, receiver: Receiver
) -> None:
    receiver.hangs = True
    schedule = await house.schedule(to_http(receiver))
    async with a_process(house.settings, ("targets",)) as carrier:
        run = await house.fire(schedule.id)
        await sooner_or_later(lambda: _has(receiver, 1))

    handed_back = await house.again(run)
    assert (handed_back.state, handed_back.attempt) == (RunState.QUEUED, 2)
    assert [attempt.outcome for attempt in handed_back.attempts] == [Outcome.RELEASED]
    assert carrier.targets is not None
    lease = carrier_lease(carrier.targets.carrier)
    async with a_process(house.settings, ("targets",)) as other:
        assert await other.leases.hold(lease, "somebody", timedelta(seconds=1)), "it is free"
        receiver.hangs = False
        assert (await house.comes_to(run, *DONE)).state is RunState.SUCCEEDED


async def abandon_all(house: House) -> None:
    """So that the process that carries them ends at once."""
    for run in await house.runs():
        if not run.state.is_final:
            await house.server.wired.bus.handle(CancelRun(tenant_id=house.tenant, run_id=run.id))


async def _is_rejected(house: House, run: Run) -> bool:
    """Whether a word about its first attempt was counted, and changed nothing."""
    asked = select(rejected_reports.c.attempt).where(rejected_reports.c.run_id == run.id)
    async with transaction(house.server.reads._engine) as connection:
        return list(await connection.scalars(asked)) == [1]


async def _has(receiver: Receiver, requests: int) -> bool:
    return len(receiver.received) >= requests


async def _left(receiver: Receiver, requests: int) -> bool:
    return receiver.left >= requests
