"""The loop of event triggers over an inbox in memory: looking, following, taking, acknowledging."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager

import pytest
from tests.support.builders import NOON, a_job, a_schedule, next_id
from tests.unit.application.depot import CommitsAndFails
from tests.unit.application.house import House

from rota.application.command import MessageBus
from rota.application.ports.event_inbox import EventMessage
from rota.application.ports.store import Begin
from rota.application.take_events import TakeEvents
from rota.domain.trigger import OnEvent
from rota.entrypoints.loops import triggers
from rota.entrypoints.loops.triggers import EventTriggerLoop, wire_triggers

PAID = "topic.acme.orders.paid"


class InMemoryEventInbox:
    """What is not acknowledged comes again."""

    name = "inbox"

    def __init__(self) -> None:
        self.messages: list[EventMessage] = []
        self.acknowledged: list[EventMessage] = []
        self.followed: list[Collection[str]] = []
        self.closed = 0
        self.steps: list[str] = []

    async def look(self) -> None:
        self.steps.append("look")

    async def follow(self, subjects: Collection[str]) -> None:
        self.steps.append("follow")
        self.followed.append(subjects)

    async def fetch(self, limit: int, timeout: float) -> Sequence[EventMessage]:
        await asyncio.sleep(0)
        return [each for each in self.messages if each not in self.acknowledged][:limit]

    async def acknowledge(self, messages: Sequence[EventMessage]) -> None:
        self.acknowledged += messages

    async def close(self) -> None:
        self.closed += 1


def a_message(place: int) -> EventMessage:
    return EventMessage(PAID, b"{}", {}, NOON, f"life:{place}")


@pytest.fixture
async def house() -> House:
    house = House()
    await house.has(a_job(), a_schedule(OnEvent(PAID), name=str(next_id())))
    return house


@pytest.fixture
def inbox() -> InMemoryEventInbox:
    return InMemoryEventInbox()


def bus_of(house: House, begin: Begin | None = None) -> MessageBus:
    bus = MessageBus()
    wire_triggers(bus, begin=begin or house.begin, clock=house.clock, control=house.control, nudge=house.nudge)
    return bus


@asynccontextmanager
async def leading(bus: MessageBus, inbox: InMemoryEventInbox) -> AsyncIterator[None]:
    task = asyncio.create_task(EventTriggerLoop(bus, [inbox]).run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_what_schedules_listen_to_is_followed(
    house: House, inbox: InMemoryEventInbox, eventually: Callable[[Callable[[], object]], Awaitable[None]]
) -> None:
    async with leading(bus_of(house), inbox):
        await eventually(lambda: inbox.followed)

    assert inbox.followed == [{PAID}]
    assert inbox.steps == ["look", "follow"]


async def test_messages_are_acknowledged_once_their_runs_are_stored(
    house: House, inbox: InMemoryEventInbox, eventually: Callable[[Callable[[], object]], Awaitable[None]]
) -> None:
    inbox.messages = [a_message(1), a_message(2)]

    async with leading(bus_of(house), inbox):
        await eventually(lambda: len(inbox.acknowledged) == 2)

    assert len(await house.runs()) == 2


async def test_what_cannot_be_stored_now_is_held_and_stored_later(
    house: House, inbox: InMemoryEventInbox, eventually: Callable[[Callable[[], object]], Awaitable[None]]
) -> None:
    inbox.messages = [a_message(1)]

    async with leading(bus_of(house, CommitsAndFails(house.begin, stored=False)), inbox):
        await eventually(lambda: inbox.acknowledged)

    assert len(await house.runs()) == 1


async def test_what_was_stored_without_our_knowing_makes_no_second_run(
    house: House, inbox: InMemoryEventInbox, eventually: Callable[[Callable[[], object]], Awaitable[None]]
) -> None:
    inbox.messages = [a_message(1)]

    async with leading(bus_of(house, CommitsAndFails(house.begin)), inbox):
        await eventually(lambda: inbox.acknowledged)

    assert len(await house.runs()) == 1


async def test_a_message_that_nobody_can_take_is_kept_and_holds_up_no_other(
    house: House, inbox: InMemoryEventInbox, eventually: Callable[[Callable[[], object]], Awaitable[None]]
) -> None:
    bus = bus_of(house)
    inner = bus._handlers[TakeEvents]

    async def take(command: TakeEvents) -> object:
        if any(message.place == "life:2" for message in command.messages):
            raise ZeroDivisionError("boom")
        return await inner(command)

    bus._handlers[TakeEvents] = take
    inbox.messages = [a_message(1), a_message(2), a_message(3)]

    async with leading(bus, inbox):
        await eventually(lambda: len(inbox.acknowledged) == 3)

    assert len(await house.runs()) == 2
    (kept,) = house.rejected
    assert kept.reason == f"{PAID}: cannot be taken: ZeroDivisionError: boom"


async def test_a_change_of_what_is_listened_to_is_seen_at_the_next_look(
    house: House,
    inbox: InMemoryEventInbox,
    eventually: Callable[[Callable[[], object]], Awaitable[None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(triggers, "LOOK_EVERY", 0)
    monkeypatch.setattr(triggers, "REST", 0)

    async with leading(bus_of(house), inbox):
        await eventually(lambda: inbox.followed)
        await house.has(a_schedule(OnEvent("topic.acme.returns"), name="another"))
        await eventually(lambda: {PAID, "topic.acme.returns"} in inbox.followed)


async def test_it_is_closed_when_the_lead_is_lost_and_read_again_with_the_next(
    house: House, inbox: InMemoryEventInbox, eventually: Callable[[Callable[[], object]], Awaitable[None]]
) -> None:
    for leads in (1, 2):
        async with leading(bus_of(house), inbox):
            await eventually(lambda leads=leads: len(inbox.followed) >= leads)  # type: ignore[misc]
        assert inbox.closed == leads
