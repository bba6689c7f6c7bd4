"""Messages of the bus become runs: one for each schedule that hears it, whatever is brought twice."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime

import pytest
from tests.support.builders import (
    ACME,
    GLOBEX,
    HOUR,
    NOON,
    SECOND,
    a_job,
    a_run,
    a_schedule,
    next_id,
)
from tests.unit.application.house import BeforeCommit, House, Meanwhile, states

from rota.application.command import MessageBus
from rota.application.disable_schedule import DisableSchedule
from rota.application.heard_event import event_run_id, read_event
from rota.application.look_for_listeners import LookForListeners
from rota.application.ports.event_inbox import EventMessage
from rota.application.ports.store import Begin
from rota.application.take_events import TakeEvents
from rota.domain.delivery import Delivery, QueueReceiver
from rota.domain.ids import RunId, ScheduleId
from rota.domain.job import Job
from rota.domain.overlap import Overlap
from rota.domain.payload import Json
from rota.domain.run_events import Cause, RunState
from rota.domain.schedule import Schedule
from rota.domain.trigger import OnEvent
from rota.entrypoints.loops.triggers import wire_triggers

PAID = "topic.acme.orders.paid"
ON_PAID = OnEvent(PAID)


@pytest.fixture
async def job(house: House) -> Job:
    job = a_job()
    await house.has(job)
    return job


def bus_of(house: House, begin: Begin | None = None) -> MessageBus:
    bus = MessageBus()
    wire_triggers(bus, begin=begin or house.begin, clock=house.clock, control=house.control, nudge=house.nudge)
    return bus


async def take(house: House, *messages: EventMessage, begin: Begin | None = None) -> None:
    listeners = await bus_of(house).handle(LookForListeners())
    await bus_of(house, begin).handle(TakeEvents(messages, listeners))


def a_message(
    name: str | None = None,
    *,
    subject: str = PAID,
    body: bytes = b'{"order":9}',
    at: datetime = NOON,
    sender: RunId | None = None,
) -> EventMessage:
    headers = {"Nats-Msg-Id": name or str(next_id())} | ({"Rota-Run-Id": str(sender)} if sender else {})
    return EventMessage(subject, body, headers, at, "life:1")


def an_event(**attributes: object) -> bytes:
    return json.dumps({"specversion": "1.0", "id": "e-1", "source": "rota", **attributes}).encode()


async def listening(house: House, trigger: OnEvent = ON_PAID, **more: object) -> Schedule:
    """To what orders are paid, unless told otherwise."""
    schedule = a_schedule(trigger, name=str(next_id()), **more)  # type: ignore[arg-type]  # its builder's
    await house.has(schedule)
    return schedule


# One run each


async def test_a_message_makes_a_run(house: House, job: Job) -> None:
    schedule = await listening(house)
    house.clock.advance(SECOND)

    await take(house, a_message("m-1"))

    run = await house.only_run()
    assert (run.cause, run.schedule_id, run.state) == (Cause.EVENT, schedule.id, RunState.PENDING)
    assert run.payload == '{"order":9}'
    assert run.scheduled_for == run.due_at == NOON + SECOND
    assert run.dedupe_key == "m-1"
    assert house.nudge.count == 1, "the leader is to give it its turn"


async def test_a_message_without_a_body_leaves_the_schedules_own_payload(house: House, job: Job) -> None:
    await listening(house, payload=Json('{"kind":"full"}'))

    await take(house, a_message(body=b""))

    assert (await house.only_run()).payload == '{"kind":"full"}'


async def test_a_message_that_comes_again_makes_no_second_run(house: House, job: Job) -> None:
    await listening(house)
    message = a_message()

    await take(house, message)
    await take(house, message, a_message())
    await take(house, message)

    assert len(await house.runs()) == 2


async def test_a_message_that_is_in_one_batch_twice_makes_one_run(house: House, job: Job) -> None:
    await listening(house)
    await listening(house, overlap=Overlap.QUEUE)
    message = a_message()

    await take(house, message, replace(message, place="life:2"))

    assert len(await house.runs()) == 2


async def test_its_run_may_have_ended_long_ago(house: House, job: Job) -> None:
    await listening(house)
    message = a_message()
    await take(house, message)
    await house.dispatch()
    await house.succeed(await house.only_run())

    await take(house, message)

    assert states(await house.runs()) == [RunState.SUCCEEDED]


async def test_two_who_take_a_message_at_once_make_one_run(house: House, job: Job) -> None:
    await listening(house)
    message = a_message()

    await take(house, message, begin=Meanwhile(house.begin, 1, lambda: take(house, message)))

    assert len(await house.runs()) == 1


async def test_each_schedule_that_listens_has_a_run_of_its_own(house: House, job: Job) -> None:
    schedules = [await listening(house, OnEvent(subject)) for subject in (PAID, "topic.acme.orders.*", "topic.acme.>")]
    await listening(house, OnEvent("topic.acme.orders"))

    await take(house, a_message("m-1"))

    assert {run.schedule_id for run in await house.runs()} == {schedule.id for schedule in schedules}


async def test_a_large_batch_is_stored_in_portions(house: House, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rota.application.take_events.AT_ONCE", 2)
    await listening(house)

    await take(house, *(a_message() for _ in range(5)))

    assert len(await house.runs()) == 5


async def test_what_a_message_belongs_to_its_run_belongs_to(house: House, job: Job) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await listening(house)

    await take(house, a_message(body=an_event(correlationid="order-9", traceparent=trace)))

    run = await house.only_run()
    assert (run.correlation_id, run.traceparent) == ("order-9", trace)


async def test_a_schedule_tells_when_it_fired_last(house: House, job: Job) -> None:
    schedule = await listening(house)
    house.clock.advance(SECOND)

    await take(house, a_message())

    assert (await house.schedule(schedule.id)).last_fire_at == NOON + SECOND


async def test_what_comes_again_is_no_new_fire(house: House, job: Job) -> None:
    schedule = await listening(house)
    message = a_message()
    await take(house, message)
    house.clock.advance(SECOND)

    await take(house, message)

    assert (await house.schedule(schedule.id)).last_fire_at == NOON


# Who hears it


async def test_a_filter_chooses(house: House, job: Job) -> None:
    schedule = await listening(house, OnEvent(PAID, (("/order", "9"),)))
    await listening(house, OnEvent(PAID, (("/order", "8"),)))

    await take(house, a_message())

    assert (await house.only_run()).schedule_id == schedule.id


async def test_a_disabled_schedule_hears_nothing(house: House, job: Job) -> None:
    await listening(house, enabled=False)

    await take(house, a_message())

    assert await house.runs() == []


async def test_a_schedule_that_is_disabled_after_the_look_hears_nothing(house: House, job: Job) -> None:
    schedule = await listening(house)
    disable = DisableSchedule(tenant_id=ACME, schedule_id=schedule.id)

    await take(house, a_message(), begin=Meanwhile(house.begin, 1, lambda: house.handle(disable)))

    assert await house.runs() == []


async def test_a_message_from_before_the_schedule_is_not_for_it(house: House, job: Job) -> None:
    await listening(house)

    await take(house, a_message(at=NOON - SECOND))

    assert await house.runs() == []


@pytest.mark.parametrize("bounds", [{"start_at": NOON + HOUR}, {"end_at": NOON}])
async def test_outside_its_bounds_a_schedule_hears_nothing(house: House, job: Job, bounds: dict[str, datetime]) -> None:
    await listening(house, **bounds)

    await take(house, a_message())

    assert await house.runs() == []


async def test_a_limit_on_scheduled_runs_is_none_on_these(house: House, job: Job) -> None:
    await listening(house, max_runs=1)

    await take(house, a_message(), a_message())

    assert len(await house.runs()) == 2


async def test_another_tenants_messages_are_not_heard_whatever_the_trigger_says(house: House, job: Job) -> None:
    await listening(house, OnEvent("topic.*.orders.paid"))
    await listening(house, OnEvent("scheduler.run.*.*"))

    await take(house, a_message(subject="topic.globex.orders.paid"))
    await take(house, a_message(subject="scheduler.run.failed.globex"))

    assert await house.runs() == []


async def test_tenants_are_served_side_by_side(house: House, job: Job) -> None:
    theirs = a_job(tenant_id=GLOBEX)
    await house.has(theirs)
    await listening(house)
    await listening(house, OnEvent("topic.globex.orders.paid"), job=theirs)

    await take(house, a_message("m-1"), a_message("m-1", subject="topic.globex.orders.paid"))

    assert [len(await house.runs(tenant)) for tenant in (ACME, GLOBEX)] == [1, 1]


# Nothing feeds itself


async def test_a_schedule_does_not_hear_of_its_own_runs(house: House, job: Job) -> None:
    schedule = await listening(house, OnEvent("scheduler.run.succeeded.acme"))
    other = ScheduleId(next_id())

    for of in (schedule.id, other):
        body = an_event(data={"scheduleId": str(of)})
        await take(house, a_message(subject="scheduler.run.succeeded.acme", body=body))

    assert len(await house.runs()) == 1


async def test_a_schedule_does_not_hear_what_it_published(house: House, job: Job) -> None:
    schedule = await listening(house)

    await take(house, a_message(body=an_event(subject=str(schedule.id))))

    assert await house.runs() == []


async def test_a_schedule_does_not_hear_what_it_queued(house: House, job: Job) -> None:
    to = Delivery(receiver=QueueReceiver("orders.paid"))
    schedule = await listening(house, delivery=to)
    sent, foreign = (a_run(delivery=to, schedule_id=of) for of in (schedule.id, ScheduleId(next_id())))
    await house.has(sent, foreign)

    await take(house, a_message(sender=sent.id), a_message(sender=foreign.id), a_message(sender=RunId(next_id())))

    assert len([run for run in await house.runs() if run.cause is Cause.EVENT]) == 2


# Overlap


@pytest.mark.parametrize(
    ("overlap", "expected"),
    [
        (Overlap.ALLOW, ["PENDING", "PENDING", "PENDING"]),
        (Overlap.SKIP, ["PENDING", "SKIPPED", "SKIPPED"]),
        (Overlap.QUEUE, ["PENDING", "PENDING", "PENDING"]),
        (Overlap.QUEUE_ONE, ["PENDING", "PENDING", "SKIPPED"]),
        (Overlap.REPLACE, ["CANCELLED", "CANCELLED", "PENDING"]),
    ],
)
async def test_messages_of_one_batch_overlap_as_the_schedule_lets_them(
    house: House, job: Job, overlap: Overlap, expected: list[str]
) -> None:
    schedule = await listening(house, overlap=overlap)
    messages = [a_message() for _ in range(3)]

    await take(house, *messages)

    assert states([await house.run(event_run_id(schedule.id, read_event(each))) for each in messages]) == expected


async def test_what_comes_again_replaces_nothing(house: House, job: Job) -> None:
    await listening(house, overlap=Overlap.REPLACE)
    message = a_message()
    await take(house, message)

    await take(house, message)

    assert states(await house.runs()) == [RunState.PENDING]


async def test_the_worker_of_a_replaced_run_is_told(house: House, job: Job) -> None:
    await listening(house, overlap=Overlap.REPLACE)
    await take(house, a_message())
    await house.dispatch()
    await house.start(await house.only_run())
    running = await house.only_run()

    await take(house, a_message())

    assert [(worker_id, order.kind, order.run_id) for _, worker_id, order in house.control.told] == [
        (running.worker_id, "CANCEL", running.id)
    ]


# What cannot be taken


async def test_a_message_that_is_no_payload_is_kept_with_its_reason_and_holds_up_no_other(
    house: House, job: Job
) -> None:
    await listening(house)

    await take(house, a_message(body=b"[" * 100 + b"]" * 100), a_message())

    assert len(await house.runs()) == 1
    (kept,) = house.rejected
    assert kept.tenant_id == ACME
    assert kept.reason == f"{PAID}: no payload: must not be nested deeper than 64"


async def test_what_nobody_listens_to_is_not_even_read(house: House, job: Job) -> None:
    await take(house, a_message(body=b"[" * 100 + b"]" * 100))

    assert house.rejected == []
    assert house.nudge.count == 0


async def test_nothing_is_half_done(house: House, job: Job) -> None:
    await listening(house)

    async def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await take(house, a_message(), begin=BeforeCommit(house.begin, fail))

    assert await house.runs() == []
