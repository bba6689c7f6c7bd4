"""Event triggers on real servers: one run for each message, over redelivery, lost streams and new leaders."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime

import nats
import pytest
from nats.js.errors import NoStreamResponseError, NotFoundError

from rota.application.disable_schedule import DisableSchedule
from rota.application.enable_schedule import EnableSchedule
from rota.domain.run_events import Cause, RunState
from rota.domain.schedule import Schedule
from rota.domain.trigger import OnEvent
from rota.entrypoints.settings import Settings
from rota.infrastructure.nats import names

from .conftest import House, a_process, sooner_or_later, to_topic


async def publish(settings: Settings, subject: str, *ids: str) -> None:
    """The stream knows each id once, whatever the subject: so they are said together with it."""
    async with await nats.connect(settings.nats_url) as client:
        for message_id in ids:
            await client.jetstream().publish(subject, b"{}", headers={"Nats-Msg-Id": f"{subject}:{message_id}"})


def on(house: House, topic: str) -> OnEvent:
    return OnEvent(f"topic.{house.tenant}.{topic}")


async def listening(house: House, topic: str = "orders", to: str = "mails") -> Schedule:
    return await house.schedule(to_topic(to), on(house, topic))


async def heard(house: House, schedule: Schedule) -> Counter[str]:
    """How many runs each message made."""
    runs = [run for run in await house.runs() if run.schedule_id == schedule.id and run.cause is Cause.EVENT]
    return Counter((run.dedupe_key or "").rpartition(":")[2] for run in runs)


async def present_is_over(house: House) -> None:
    """What the service dates from now on is later than what the bus has dated so far: its clock lags a little."""
    present = datetime.now(UTC)

    async def is_over() -> bool:
        return house.server.clock.now() > present

    await sooner_or_later(is_over)


async def test_a_message_makes_a_run_that_is_delivered(house: House) -> None:
    schedule = await listening(house)

    async with a_process(house.settings, ("targets",)):
        await publish(house.settings, f"topic.{house.tenant}.orders", "m-1")
        await sooner_or_later(lambda: heard(house, schedule))
        (run,) = await house.runs()

        assert (await house.comes_to(run, RunState.SUCCEEDED)).payload == "{}"


async def test_a_message_right_after_the_creation_is_heard(house: House) -> None:
    for number in range(3):
        schedule = await listening(house, f"orders.{number}")

        await publish(house.settings, f"topic.{house.tenant}.orders.{number}", "m-1")

        await sooner_or_later(lambda schedule=schedule: heard(house, schedule))  # type: ignore[misc]


async def test_a_message_from_before_the_creation_is_not(house: House) -> None:
    subject = f"topic.{house.tenant}.orders"
    await publish(house.settings, subject, "before")
    await present_is_over(house)
    schedule = await listening(house)

    await publish(house.settings, subject, "after")

    await sooner_or_later(lambda: heard(house, schedule))
    assert await heard(house, schedule) == Counter(["after"])


async def test_what_is_said_while_a_schedule_rests_is_not_heard_later(house: House) -> None:
    bus, subject = house.server.wired.bus, f"topic.{house.tenant}.orders"
    schedule = await listening(house)
    await publish(house.settings, subject, "1")
    await sooner_or_later(lambda: heard(house, schedule))

    await bus.handle(DisableSchedule(tenant_id=house.tenant, schedule_id=schedule.id))
    await publish(house.settings, subject, "2")
    await present_is_over(house)
    await bus.handle(EnableSchedule(tenant_id=house.tenant, schedule_id=schedule.id))
    await publish(house.settings, subject, "3")

    async def is_heard() -> bool:
        return len(await heard(house, schedule)) == 2

    await sooner_or_later(is_heard)
    assert await heard(house, schedule) == Counter(["1", "3"])


async def test_one_run_for_each_message_over_new_leaders_and_lost_consumers(settings: Settings) -> None:
    house: House | None = None
    schedule: Schedule | None = None
    for life in range(4):
        async with a_process(settings, ("leader",)) as server:
            if house is None:
                house = House(settings, server)
                schedule = await listening(house)
            house.server = server
            assert schedule is not None
            subject = f"topic.{house.tenant}.orders"
            await publish(settings, subject, *(f"{life}-{number}" for number in range(100)))
            if life % 2:
                await forget_what_was_read(settings)
            await publish(settings, subject, *(f"{life}+{number}" for number in range(100)))
            # It is stopped at once, wherever it stands.
    assert house is not None
    assert schedule is not None
    last = schedule

    async with a_process(settings, ("leader",)) as server:
        house.server = server

        async def all_are() -> bool:
            return len(await heard_of_all(house, last)) == 800

        await sooner_or_later(all_are)
        assert set((await heard_of_all(house, last)).values()) == {1}


async def test_a_stream_that_is_deleted_is_heard_again(house: House) -> None:
    schedule, subject = await listening(house), f"topic.{house.tenant}.orders"
    await publish(house.settings, subject, "1")
    await sooner_or_later(lambda: heard(house, schedule))

    async with await nats.connect(house.settings.nats_url) as client:
        await client.jetstream().delete_stream(names.TOPICS)

    async def is_published() -> bool:
        try:
            await publish(house.settings, subject, "2")
        except NoStreamResponseError:
            return False
        return True

    async def is_heard() -> bool:
        return len(await heard(house, schedule)) == 2

    await sooner_or_later(is_published)
    await sooner_or_later(is_heard)


@pytest.mark.parametrize("event", ["succeeded", "*"])
async def test_a_schedule_hears_of_others_runs_and_not_of_its_own(house: House, event: str) -> None:
    trigger = OnEvent(f"scheduler.run.{event}.{house.tenant}", (("/data/state", '"SUCCEEDED"'),))
    follower = await house.schedule(to_topic("mails"), trigger)
    first = await house.schedule(to_topic("orders"))

    async with a_process(house.settings, ("targets",)):
        origin = await house.fire(first.id)
        await sooner_or_later(lambda: heard(house, follower))
        for run in await house.runs():
            await house.comes_to(run, RunState.SUCCEEDED)
        # Whatever of its own run it could hear is in the stream before this is.
        await house.comes_to(await house.fire(first.id), RunState.SUCCEEDED)

        async def is_heard() -> bool:
            return len([run for run in await house.runs() if run.schedule_id == follower.id]) == 2

        await sooner_or_later(is_heard)
        followed = [run for run in await house.runs() if run.schedule_id == follower.id]
        assert {run.correlation_id for run in followed} > {str(origin.id)}


async def heard_of_all(house: House, schedule: Schedule) -> Counter[str]:
    async with house.begin() as work:
        runs = await work.runs.unfinished_of([(house.tenant, schedule.id)], 10_000)
    return Counter((run.dedupe_key or "").rpartition(":")[2] for run in runs)


async def forget_what_was_read(settings: Settings) -> None:
    async with await nats.connect(settings.nats_url) as client:
        with suppress(NotFoundError):  # not made yet
            await client.jetstream().delete_consumer(names.TOPICS, names.TRIGGERS)
