"""Deliveries: claimed, carried, settled, given up and handed back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from tests.support.builders import ACME, MINUTE, NOON, SECOND, a_schedule, next_id
from tests.unit.application.depot import (
    BROKER,
    HOOK,
    STREAM,
    TOPIC,
    CommitsAndFails,
    Depot,
    HandCarrier,
    a_depot,
    a_queued_delivery,
)
from tests.unit.application.house import House

from rota.application.cancel_run import CancelRun
from rota.application.claim_deliveries import ClaimDeliveries
from rota.application.command import Message
from rota.application.disable_schedule import DisableSchedule
from rota.application.look_at_deliveries import LookAtDeliveries
from rota.application.ports.bus import Control
from rota.application.ports.deliveries import Delivered, Outcome, Parcel, Undelivered
from rota.application.settle_deliveries import SettleDeliveries
from rota.domain.attempt import Outcome as Ended
from rota.domain.attempt import RunError
from rota.domain.delivery import Delivery
from rota.domain.errors import UnavailableError
from rota.domain.ids import ScheduleId
from rota.domain.payload import Json
from rota.domain.retry import Backoff, BackoffKind, RetryPolicy
from rota.domain.run import Run
from rota.domain.run_events import RunState

TEN_SECONDS = RetryPolicy(max_attempts=2, backoff=Backoff(kind=BackoffKind.FIXED, initial=10 * SECOND, jitter=0))
REFUSED = RunError("HttpStatus", "the receiver answered 503")
GONE = Undelivered(error=RunError("HttpStatus", "the receiver answered 410"), is_gone=True)


def told(run: Run) -> Control:
    return Control("CANCEL", "told", run.id, 1)


async def store_the_ends(depot: Depot) -> None:
    async with asyncio.timeout(5):
        await depot.deliveries.settle()


# Claiming


async def test_a_claimed_delivery_runs_and_is_its_carriers(house: House) -> None:
    run = a_queued_delivery()
    await house.has(run)

    async with a_depot(house) as depot:
        await depot.claim()

        claimed = await house.again(run)
        assert (claimed.state, claimed.worker_id) == (RunState.RUNNING, depot.carrier)
        assert (await house.event_types())[-1] == "run.started"


async def test_a_parcel_says_what_its_carrier_needs(house: House) -> None:
    parcels: list[Parcel] = []
    run = a_queued_delivery(delivery=Delivery(receiver=HOOK, timeout=7 * SECOND))
    run.payload = Json('{"paid":true}')
    await house.has(run)

    async with a_depot(house) as depot:
        parcels += await depot.bus.handle(ClaimDeliveries(depot.carrier, 10))

    assert parcels == [
        Parcel(
            tenant_id=ACME,
            run_id=run.id,
            attempt=1,
            schedule_id=None,
            receiver=HOOK,
            payload=Json('{"paid":true}'),
            scheduled_for=NOON,
            due_at=NOON,
            timeout=7 * SECOND,
            correlation_id=str(run.id),
            traceparent=None,
        )
    ]


async def test_what_is_for_the_bus_goes_as_one_batch_and_every_other_by_itself(house: House) -> None:
    runs = {name: a_queued_delivery(to) for name, to in (("a", TOPIC), ("b", HOOK), ("c", STREAM), ("d", BROKER))}
    more = a_queued_delivery(HOOK)
    await house.has(*runs.values(), more)

    async with a_depot(house) as depot:
        await depot.claim()

        assert [set(batch) for batch in depot.topics.batches] == [{runs["a"].id, runs["c"].id}]
        assert sorted(depot.http.batches) == sorted([[runs["b"].id], [more.id]])
        assert depot.queues.batches == [[runs["d"].id]]


async def test_no_more_are_under_way_than_there_are_slots(house: House) -> None:
    runs = [a_queued_delivery() for _ in range(3)]
    await house.has(*runs)

    async with a_depot(house, slots=2) as depot:
        assert await depot.claim()
        assert not await depot.claim()
        assert len(depot.http.carried) == 2

        depot.http.tell(await first_carried(house, depot.http))
        assert not await depot.claim(), "its slot is taken until its end is stored"
        await store_the_ends(depot)
        await depot.claim()

        assert len(depot.http.carried) == 3


async def test_a_slot_that_gets_free_is_used_at_once(house: House) -> None:
    await house.has(a_queued_delivery(), a_queued_delivery())

    async with a_depot(house, slots=1) as depot, asyncio.timeout(5):
        await depot.claim()
        await depot.claim()
        depot.http.tell(await first_carried(house, depot.http))
        await store_the_ends(depot)

        await depot.deliveries.wanted(timeout=60)


async def test_without_its_lease_a_process_takes_nothing(house: House) -> None:
    await house.has(a_queued_delivery())
    depot = Depot(house)

    assert not await depot.claim()

    assert (await house.only_run()).state is RunState.QUEUED


async def test_a_nudge_since_the_last_claim_is_heard(house: House) -> None:
    async with a_depot(house) as depot, asyncio.timeout(5):
        await depot.claim()
        depot.deliveries.nudge()

        await depot.deliveries.wanted(timeout=60)


async def test_a_claim_that_was_stored_although_it_seemed_to_fail_is_carried(house: House) -> None:
    run = a_queued_delivery()
    await house.has(run)

    async with a_depot(house, begin=CommitsAndFails(house.begin)) as depot:
        with pytest.raises(UnavailableError):
            await depot.claim()
        await depot.claim()

        assert depot.http.carried == [run.id]


async def test_a_claim_that_was_not_stored_is_made_again(house: House) -> None:
    run = a_queued_delivery()
    await house.has(run)

    async with a_depot(house, begin=CommitsAndFails(house.begin, stored=False)) as depot:
        with pytest.raises(UnavailableError):
            await depot.claim()
        await depot.claim()

        assert depot.http.carried == [run.id]
        assert (await house.event_types()).count("run.started") == 1


async def test_what_seemed_to_fail_and_is_somebody_elses_by_now_is_left_alone(house: House) -> None:
    run = a_queued_delivery()
    await house.has(run)

    async with a_depot(house) as other, a_depot(house, begin=CommitsAndFails(house.begin, stored=False)) as depot:
        with pytest.raises(UnavailableError):
            await depot.claim()
        await other.claim()
        await depot.claim()

        assert depot.http.carried == []
        assert (await house.again(run)).worker_id == other.carrier


# How it ended


async def test_a_delivered_run_has_succeeded_with_the_answer_as_its_result(house: House) -> None:
    run = await a_carried_one(house, a_queued_delivery(), Delivered(Json('{"status":204}')))

    assert (run.state, run.result) == (RunState.SUCCEEDED, '{"status":204}')


async def test_an_undelivered_run_waits_out_its_backoff(house: House) -> None:
    to = Delivery(receiver=HOOK, retry=TEN_SECONDS)
    run = await a_carried_one(house, a_queued_delivery(delivery=to), Undelivered(error=REFUSED))

    assert (run.state, run.wake_at, run.error) == (RunState.RETRYING, NOON + 10 * SECOND, REFUSED)
    assert house.nudge.count == 1, "the leader has to wake it"


async def test_the_receiver_may_say_when_to_come_again(house: House) -> None:
    said = Undelivered(error=REFUSED, retry_after=MINUTE)
    run = await a_carried_one(house, a_queued_delivery(), said)

    assert run.wake_at == NOON + MINUTE


async def test_what_is_not_to_be_tried_again_is_dead_and_keeps_the_answer(house: House) -> None:
    said = Undelivered(error=REFUSED, retryable=False, answer=Json('{"status":400}'))
    run = await a_carried_one(house, a_queued_delivery(), said)

    assert run.state is RunState.DEAD
    assert run.attempts[0].answer == '{"status":400}'


async def test_what_was_not_even_tried_comes_later_and_costs_no_attempt(house: House) -> None:
    said = Undelivered(error=RunError("CircuitOpen", "it is left alone"), was_tried=False, retry_after=30 * SECOND)
    run = await a_carried_one(house, a_queued_delivery(), said)

    assert (run.state, run.wake_at) == (RunState.RETRYING, NOON + 30 * SECOND)
    assert [ended.outcome for ended in run.attempts] == [Ended.RELEASED]


async def test_the_leader_learns_that_there_is_room_again(house: House) -> None:
    await a_carried_one(house, a_queued_delivery(), Delivered())

    assert house.nudge.count == 1


async def test_a_late_ending_changes_nothing_and_is_counted(house: House) -> None:
    run = a_queued_delivery()
    await house.has(run)
    async with a_depot(house) as depot:
        await depot.claim()
        await lose(house, run)

        depot.http.tell(run)
        await store_the_ends(depot)

        assert (await house.again(run)).state is RunState.QUEUED
        assert [(each.run_id, each.attempt, each.kind) for each in house.rejected] == [(run.id, 1, "SUCCEEDED")]


async def test_endings_are_stored_once_the_store_is_back(house: House) -> None:
    run = a_queued_delivery()
    await house.has(run)
    async with a_depot(house, begin=CommitsAndFails(house.begin, nth=2, stored=False)) as depot:
        await depot.claim()
        depot.http.tell(run)
        with pytest.raises(UnavailableError):
            await store_the_ends(depot)

        await store_the_ends(depot)

        assert (await house.again(run)).state is RunState.SUCCEEDED


async def test_an_ending_that_is_stored_twice_changes_nothing(house: House) -> None:
    run = a_queued_delivery()
    await house.has(run)
    async with a_depot(house, begin=CommitsAndFails(house.begin, nth=2)) as depot:
        await depot.claim()
        depot.http.tell(run)
        with pytest.raises(UnavailableError):
            await store_the_ends(depot)

        await store_the_ends(depot)

        assert (await house.event_types()).count("run.succeeded") == 1


async def test_an_ending_that_nobody_can_store_holds_up_no_other(house: House) -> None:
    poisoned, other = a_queued_delivery(), a_queued_delivery()
    await house.has(poisoned, other)
    async with a_depot(house) as depot:
        await depot.claim()
        spoil(depot, lambda ended: isinstance(ended, Delivered) and ended.answer == '"poison"')
        depot.http.tell(poisoned, Delivered(Json('"poison"')))
        depot.http.tell(other)

        await store_the_ends(depot)

        assert (await house.again(other)).state is RunState.SUCCEEDED
        buried = await house.again(poisoned)
        assert buried.state is RunState.DEAD
        assert buried.error is not None
        assert buried.error.type == "AnswerUnstorable"


async def test_an_ending_of_which_nothing_can_be_stored_is_left_to_the_attempts_time(house: House) -> None:
    poisoned, other = a_queued_delivery(), a_queued_delivery()
    await house.has(poisoned, other)
    async with a_depot(house) as depot:
        await depot.claim()
        spoil(depot, lambda ended: not isinstance(ended, Delivered))
        depot.http.tell(poisoned, Undelivered(error=REFUSED))
        depot.http.tell(other)

        await store_the_ends(depot)

        assert (await house.again(other)).state is RunState.SUCCEEDED
        assert (await house.again(poisoned)).state is RunState.RUNNING
        assert depot.deliveries.taken == 0


async def test_one_that_hangs_holds_up_no_other(house: House) -> None:
    hanging, other = a_queued_delivery(), a_queued_delivery()
    await house.has(hanging, other)
    async with a_depot(house) as depot:
        await depot.claim()
        depot.http.tell(other)

        await store_the_ends(depot)

        assert (await house.again(other)).state is RunState.SUCCEEDED
        assert (await house.again(hanging)).state is RunState.RUNNING


@pytest.mark.parametrize("fault", [ZeroDivisionError(), None], ids=["breaks", "says nothing"])
async def test_a_carrier_that_fails_its_parcels_has_not_delivered_them(house: House, fault: Exception | None) -> None:
    class Faulty:
        async def carry(self, parcels: Sequence[Parcel], done: Callable[[Parcel, Outcome], None]) -> None:
            if fault:
                raise fault

    run = a_queued_delivery()
    await house.has(run)
    async with a_depot(house) as depot:
        depot.deliveries._carriers = replace(depot.carriers, http=Faulty())
        await depot.claim()

        await store_the_ends(depot)

        failed = await house.again(run)
        assert failed.state is RunState.RETRYING
        assert failed.error is not None
        assert failed.error.type == "CarrierFailed"


# A receiver that wants no more


async def test_a_receiver_that_is_gone_ends_the_run_and_disables_the_schedule(house: House) -> None:
    schedule_id = await a_schedule_to(house, Delivery(receiver=HOOK))

    run = await a_carried_one(house, a_queued_delivery(schedule_id=schedule_id), GONE)

    schedule = await house.schedule(schedule_id)
    assert (run.state, schedule.enabled) == (RunState.DEAD, False)
    (told_of,) = [entry for entry in await house.events() if entry.type == "schedule.disabled"]
    assert '"the receiver answered 410"' in told_of.data


async def test_what_was_due_when_the_receiver_was_gone_is_decided_first(house: House) -> None:
    schedule_id = await a_schedule_to(house, Delivery(receiver=HOOK))
    house.clock.advance(3 * SECOND)

    run = await a_carried_one(house, a_queued_delivery(schedule_id=schedule_id), GONE)

    due = [each for each in await house.runs() if each.id != run.id]
    assert [each.scheduled_for for each in due] == [NOON]


async def test_a_schedule_that_delivers_elsewhere_by_now_is_left_alone(house: House) -> None:
    schedule_id = await a_schedule_to(house, Delivery(receiver=replace(HOOK, url="https://hooks.example.com/new")))

    run = await a_carried_one(house, a_queued_delivery(schedule_id=schedule_id), GONE)

    assert run.state is RunState.DEAD
    assert (await house.schedule(schedule_id)).enabled


async def test_a_schedule_that_rests_already_does_not_rest_again(house: House) -> None:
    schedule_id = await a_schedule_to(house, Delivery(receiver=HOOK))
    await house.handle(DisableSchedule(tenant_id=ACME, schedule_id=schedule_id, reason="for now"))

    await a_carried_one(house, a_queued_delivery(schedule_id=schedule_id), GONE)

    assert (await house.event_types()).count("schedule.disabled") == 1


async def test_a_schedule_that_is_no_more_is_no_hindrance(house: House) -> None:
    run = await a_carried_one(house, a_queued_delivery(schedule_id=ScheduleId(next_id())), GONE)

    assert run.state is RunState.DEAD


# Cancellation and what is no longer ours


async def test_a_cancelled_delivery_is_given_up_and_others_are_not(house: House) -> None:
    run, other = a_queued_delivery(), a_queued_delivery()
    await house.has(run, other)
    async with a_depot(house) as depot:
        await depot.claim()
        await house.handle(CancelRun(tenant_id=ACME, run_id=run.id, reason="not wanted"))
        (order,) = [order for _, worker_id, order in house.control.told if worker_id == depot.carrier]

        depot.deliveries.obey([order])
        await store_the_ends(depot)

        assert depot.http.given_up == [run.id]
        cancelled = await house.again(run)
        assert cancelled.state is RunState.CANCELLED
        assert cancelled.cancel_acknowledged_at == NOON
        assert [ended.outcome for ended in cancelled.attempts] == [Ended.CANCELLED]
        assert (await house.again(other)).state is RunState.RUNNING


async def test_one_of_a_batch_can_be_given_up_without_the_others(house: House) -> None:
    run, other = a_queued_delivery(TOPIC), a_queued_delivery(TOPIC)
    await house.has(run, other)
    async with a_depot(house) as depot:
        await depot.claim()
        await house.handle(CancelRun(tenant_id=ACME, run_id=run.id))
        depot.deliveries.obey([told(run)])
        await asyncio.sleep(0)
        depot.topics.tell(run)
        depot.topics.tell(other)

        await store_the_ends(depot)

        assert depot.topics.given_up == []

        assert (await house.again(run)).state is RunState.CANCELLED
        assert (await house.again(other)).state is RunState.SUCCEEDED


async def test_a_delivery_that_arrived_before_the_order_has_succeeded(house: House) -> None:
    run = a_queued_delivery()
    await house.has(run)
    async with a_depot(house) as depot:
        await depot.claim()
        await house.handle(CancelRun(tenant_id=ACME, run_id=run.id))
        depot.http.tell(run)
        depot.deliveries.obey([told(run)])

        await store_the_ends(depot)

        assert (await house.again(run)).state is RunState.SUCCEEDED


@pytest.mark.parametrize("kind", ["TIMEOUT", "LOST"])
async def test_what_is_no_longer_ours_is_given_up_without_a_word(house: House, kind: str) -> None:
    run = a_queued_delivery()
    await house.has(run)
    async with a_depot(house) as depot:
        await depot.claim()

        depot.deliveries.obey([Control(kind, "told", run.id, 1)])
        await asyncio.sleep(0)

        assert depot.http.given_up == [run.id]
        assert depot.deliveries.taken == 0
        assert house.rejected == []


@pytest.mark.parametrize(
    "order",
    [Control("DRAIN", "told"), Control("CANCEL", "told", a_queued_delivery().id, 1)],
    ids=["of nothing we know", "of a run that is elsewhere"],
)
async def test_orders_that_do_not_concern_us_change_nothing(house: House, order: Control) -> None:
    await house.has(a_queued_delivery())
    async with a_depot(house) as depot:
        await depot.claim()

        depot.deliveries.obey([order])

        assert depot.deliveries.taken == 1


async def test_an_order_for_an_earlier_attempt_concerns_us_no_more(house: House) -> None:
    run = a_queued_delivery()
    await house.has(run)
    async with a_depot(house) as gone, a_depot(house) as depot:
        await gone.claim()
        await lose(house, run)
        await depot.claim()

        depot.deliveries.obey([told(run)])

        assert depot.deliveries.taken == 1


async def test_an_order_that_got_lost_is_made_good_by_looking(house: House) -> None:
    run = a_queued_delivery()
    await house.has(run)
    async with a_depot(house) as depot:
        await depot.claim()
        await depot.deliveries.look()
        await house.handle(CancelRun(tenant_id=ACME, run_id=run.id))

        await depot.deliveries.look()
        await store_the_ends(depot)

        assert (await house.again(run)).state is RunState.CANCELLED


async def test_an_attempt_that_was_lost_behind_our_back_is_given_up_by_looking(house: House) -> None:
    run, other = a_queued_delivery(), a_queued_delivery()
    await house.has(run, other)
    async with a_depot(house) as depot:
        await depot.claim()
        await depot.deliveries.look()
        await lose(house, run)

        await depot.deliveries.look()
        await asyncio.sleep(0)

        assert depot.http.given_up == [run.id]


async def test_the_quick_ones_are_not_looked_at(house: House) -> None:
    asked: list[Message[object]] = []
    await house.has(a_queued_delivery())
    async with a_depot(house) as depot:
        inner = depot.bus._handlers[LookAtDeliveries]

        async def look(command: LookAtDeliveries) -> object:
            asked.append(command)
            return await inner(command)

        depot.bus._handlers[LookAtDeliveries] = look
        await depot.claim()

        await depot.deliveries.look()

        assert asked == []


# The end of the process


async def test_a_process_that_ends_waits_for_what_is_under_way(house: House) -> None:
    run = a_queued_delivery()
    await house.has(run)
    async with a_depot(house) as depot, depot.settling():
        await depot.claim()
        ending = asyncio.create_task(depot.deliveries.end(patience=60))
        await asyncio.sleep(0)
        depot.http.tell(run)
        await ending

        assert (await house.again(run)).state is RunState.SUCCEEDED


async def test_what_does_not_end_in_time_is_handed_back_and_costs_no_attempt(house: House) -> None:
    run, other = a_queued_delivery(), a_queued_delivery(TOPIC)
    await house.has(run, other)
    async with a_depot(house) as depot, depot.settling():
        await depot.claim()

        await depot.deliveries.end(patience=0)

        for handed_back in (await house.again(run), await house.again(other)):
            assert (handed_back.state, handed_back.attempt) == (RunState.QUEUED, 2)
            assert [ended.outcome for ended in handed_back.attempts] == [Ended.RELEASED]
        assert depot.http.given_up == [run.id]
        assert house.deliveries.count == 1, "somebody else may take them at once"


async def test_a_claim_that_seemed_to_fail_is_handed_back_too(house: House) -> None:
    run = a_queued_delivery()
    await house.has(run)
    async with a_depot(house, begin=CommitsAndFails(house.begin)) as depot, depot.settling():
        with pytest.raises(UnavailableError):
            await depot.claim()

        await depot.deliveries.end(patience=0)

        assert (await house.again(run)).state is RunState.QUEUED


async def test_one_that_is_to_be_cancelled_is_not_handed_back(house: House) -> None:
    run = a_queued_delivery()
    await house.has(run)
    async with a_depot(house) as depot, depot.settling():
        await depot.claim()
        await house.handle(CancelRun(tenant_id=ACME, run_id=run.id))

        await depot.deliveries.end(patience=0)

        assert (await house.again(run)).state is RunState.CANCELLED


# In few words


async def a_carried_one(house: House, run: Run, outcome: Outcome) -> Run:
    """The run as it is after it was carried to that outcome."""
    await house.has(run)
    async with a_depot(house) as depot:
        await depot.claim()
        depot.http.tell(run, outcome)
        await store_the_ends(depot)
        return await house.again(run)


async def first_carried(house: House, carrier: HandCarrier) -> Run:
    return await house.run(carrier.carried[0])


async def lose(house: House, run: Run) -> None:
    """As the leader does when it finds the carrier's lease run out."""
    async with house.begin() as work:
        for lost in (await work.runs.load([(run.tenant_id, run.id)])).values():
            lost.lose(house.clock.now(), "its carrier is gone")
        await work.commit()


async def a_schedule_to(house: House, delivery: Delivery) -> ScheduleId:
    schedule = a_schedule(delivery=delivery)
    await house.has(schedule)
    return schedule.id


def spoil(depot: Depot, is_poison: Callable[[object], bool]) -> None:
    """Settling fails, as a bug would make it, where an ending of that kind is among the batch."""
    inner = depot.bus._handlers[SettleDeliveries]

    async def settle(command: SettleDeliveries) -> object:
        if any(is_poison(ended.ending) for ended in command.ended):
            raise ZeroDivisionError
        return await inner(command)

    depot.bus._handlers[SettleDeliveries] = settle
