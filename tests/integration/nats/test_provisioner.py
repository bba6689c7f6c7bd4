from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest

from rota.domain.errors import UnavailableError
from rota.infrastructure.nats import names
from rota.infrastructure.nats.api import Answer, JetStreamApi
from rota.infrastructure.nats.configs import BusLimits, intake_config, lane_config, stream_configs
from rota.infrastructure.nats.connection import Connection
from rota.infrastructure.nats.consumer import PullConsumer
from rota.infrastructure.nats.provisioner import DriftError, LaneState, Provisioner
from rota.infrastructure.nats.publisher import Message, Publisher

from .conftest import NatsServer, eventually, reconnected

LANE = names.Lane("acme", UUID("0198c7d2-0000-7000-8000-000000000001"))
ALL_STREAMS = (names.EVENTS, names.WORK, names.REPORTS, names.TOPICS)


async def test_everything_is_made_as_described(nc: Connection) -> None:
    provisioner = Provisioner(nc)

    await provisioner.ensure_streams()
    await provisioner.ensure_intake()
    await provisioner.ensure_lanes([LANE])

    for name, config in stream_configs(BusLimits()).items():
        assert (await stream_config(nc, name)).items() >= config.items()
    assert (await consumer_config(nc, names.REPORTS, names.INTAKE)).items() >= intake_config().items()
    lane = await consumer_config(nc, names.WORK, LANE.durable)
    assert lane.items() >= lane_config(LANE).items()
    assert lane["filter_subject"] == "scheduler.work.acme.*.0198c7d2-0000-7000-8000-000000000001"


async def test_doing_it_twice_changes_nothing(nc: Connection) -> None:
    await provision(nc)
    before = [await stream_config(nc, name) for name in ALL_STREAMS]

    await provision(nc)

    assert [await stream_config(nc, name) for name in ALL_STREAMS] == before


async def test_several_processes_may_do_it_at_once(nc: Connection) -> None:
    await asyncio.gather(*(provision(nc) for _ in range(5)))

    assert await Provisioner(nc).lane_state(LANE) == LaneState(pending=0, unacked=0)


async def test_drift_of_a_stream_is_repaired_and_what_is_not_ours_stays(nc: Connection) -> None:
    await provision(nc)
    wanted = await stream_config(nc, names.EVENTS)
    drifted = {**wanted, "max_age": 0, "max_bytes": -1, "subjects": ["scheduler.run.*.*"], "description": "ours"}
    await JetStreamApi(nc).ask(f"STREAM.UPDATE.{names.EVENTS}", drifted)

    await Provisioner(nc).ensure_streams()

    repaired = await stream_config(nc, names.EVENTS)
    assert repaired.items() >= stream_configs(BusLimits())[names.EVENTS].items()
    assert repaired["description"] == "ours"


async def test_a_new_setting_reaches_an_existing_stream(nc: Connection) -> None:
    await provision(nc)

    await Provisioner(nc, BusLimits(events_max_bytes=64 * 1024 * 1024)).ensure_streams()

    assert (await stream_config(nc, names.EVENTS))["max_bytes"] == 64 * 1024 * 1024


async def test_drift_of_a_consumer_is_repaired(nc: Connection) -> None:
    provisioner = await provision(nc)
    found = await consumer_config(nc, names.WORK, LANE.durable)
    drifted = {"stream_name": names.WORK, "config": {**found, "ack_wait": 10**9, "max_ack_pending": 1}}
    await JetStreamApi(nc).ask(f"CONSUMER.CREATE.{names.WORK}.{LANE.durable}.{LANE.subjects}", drifted)

    provisioner.forget(LANE)
    await provisioner.ensure_lanes([LANE])

    assert (await consumer_config(nc, names.WORK, LANE.durable)).items() >= lane_config(LANE).items()


async def test_what_the_server_will_not_change_is_a_clear_error(nc: Connection) -> None:
    wrong = {**stream_configs(BusLimits())[names.WORK], "storage": "memory"}
    await JetStreamApi(nc).ask(f"STREAM.CREATE.{names.WORK}", wrong)

    with pytest.raises(DriftError, match=r"ROTA_WORK .* storage is 'memory', not 'file'"):
        await Provisioner(nc).ensure_streams()


async def test_one_lane_that_fails_keeps_no_other_back(nc: Connection) -> None:
    provisioner = Provisioner(nc)
    other = names.Lane("acme", uuid4())
    wrong = {**lane_config(LANE), "deliver_policy": "by_start_sequence", "opt_start_seq": 7}
    limits = {**stream_configs(BusLimits())[names.WORK], "retention": "limits"}  # a work queue takes no such consumer
    await JetStreamApi(nc).ask(f"STREAM.CREATE.{names.WORK}", limits)
    await JetStreamApi(nc).ask(
        f"CONSUMER.CREATE.{names.WORK}.{LANE.durable}.{LANE.subjects}", {"stream_name": names.WORK, "config": wrong}
    )

    with pytest.raises(DriftError, match="deliver_policy is 'by_start_sequence', not 'all'"):
        await provisioner.ensure_lanes([LANE, other])

    assert await provisioner.lane_state(other) == LaneState(pending=0, unacked=0)


async def test_a_deleted_stream_is_made_again_and_known_as_another(nc: Connection) -> None:
    provisioner = await provision(nc)
    before = await provisioner.stream_state(names.WORK)
    await JetStreamApi(nc).ask(f"STREAM.DELETE.{names.WORK}")
    assert await provisioner.stream_state(names.WORK) is None

    provisioner.forget()
    await provisioner.ensure_lanes([LANE])

    after = await provisioner.stream_state(names.WORK)
    assert before is not None
    assert after is not None
    assert after.created > before.created
    assert await provisioner.lane_state(LANE) == LaneState(pending=0, unacked=0)


async def test_what_was_verified_is_asked_again_only_when_forgotten(nc: Connection) -> None:
    provisioner = await provision(nc)
    await JetStreamApi(nc).ask(f"CONSUMER.DELETE.{names.WORK}.{LANE.durable}")

    await provisioner.ensure_lanes([LANE])
    unseen = await provisioner.lane_state(LANE)
    provisioner.forget()
    await provisioner.ensure_lanes([LANE])

    assert unseen is None
    assert await provisioner.lane_state(LANE) == LaneState(pending=0, unacked=0)


async def test_many_lanes_are_made_at_once(nc: Connection) -> None:
    provisioner = Provisioner(nc)
    await provisioner.ensure_streams()
    lanes = [names.Lane("acme", uuid4()) for _ in range(200)]

    await provisioner.ensure_lanes(lanes)

    found = await JetStreamApi(nc).ask(f"STREAM.INFO.{names.WORK}")
    assert found["state"]["consumer_count"] == 200


async def test_a_removed_lane_takes_its_messages_along(nc: Connection) -> None:
    provisioner = await provision(nc)
    await publish_work(nc, 3)

    await provisioner.remove_lane(LANE)
    await provisioner.remove_lane(LANE)

    state = await provisioner.stream_state(names.WORK)
    assert await provisioner.lane_state(LANE) is None
    assert state is not None
    assert state.messages == 0


async def test_a_lane_counts_what_waits_and_what_is_under_way(nc: Connection) -> None:
    provisioner = await provision(nc)
    await publish_work(nc, 5)
    consumer = PullConsumer(nc, names.WORK, LANE.durable)

    await consumer.fetch(2, 5)

    assert await provisioner.lane_state(LANE) == LaneState(pending=3, unacked=2)


async def test_the_floor_of_intake_follows_its_acknowledgements_and_outlives_its_consumer(nc: Connection) -> None:
    provisioner = await provision(nc)
    await Publisher(nc).publish([Message(names.report_subject("acme"), b"[]", str(n)) for n in range(10)])
    consumer = PullConsumer(nc, names.REPORTS, names.INTAKE)
    deliveries = await consumer.fetch(10, 5)
    await consumer.ack_all_sync(deliveries[:4] + deliveries[5:])

    floor = await provisioner.intake_floor()
    await deliveries[4].ack_sync()
    settled = await provisioner.intake_floor()
    await JetStreamApi(nc).ask(f"CONSUMER.DELETE.{names.REPORTS}.{names.INTAKE}")
    gone = await provisioner.intake_floor()
    await provisioner.ensure_intake()
    again = await provisioner.intake_floor()

    assert floor is not None
    assert settled is not None
    assert (floor.seq, floor.pending, floor.unacked) == (4, 0, 1)
    assert (settled.seq, settled.pending, settled.unacked) == (10, 0, 0)
    assert gone is None
    assert again == settled


async def test_the_last_sequence_outlives_its_messages_and_a_kill(server: NatsServer, nc: Connection) -> None:
    provisioner = await provision(nc)
    await publish_work(nc, 7)
    consumer = PullConsumer(nc, names.WORK, LANE.durable)
    await consumer.ack_all_sync(await consumer.fetch(7, 5))
    before = await provisioner.stream_state(names.WORK)

    losses = nc.losses
    server.kill()
    server.start()
    await reconnected(nc, losses)

    after = await provisioner.stream_state(names.WORK)
    assert before is not None
    assert after is not None
    assert (after.created, after.last_seq) == (before.created, 7)


async def test_a_silent_bus_is_unavailable_at_once(server: NatsServer, nc: Connection) -> None:
    async def is_down() -> bool:
        return not nc.is_connected

    server.kill()
    await eventually(is_down)

    with pytest.raises(UnavailableError):
        await Provisioner(nc).ensure_streams()


async def provision(nc: Connection) -> Provisioner:
    provisioner = Provisioner(nc)
    await provisioner.ensure_streams()
    await provisioner.ensure_intake()
    await provisioner.ensure_lanes([LANE])
    return provisioner


async def publish_work(nc: Connection, count: int) -> None:
    subject = names.work_subject(LANE.tenant, "default", LANE.job_id)
    await Publisher(nc).publish([Message(subject, b"{}", str(n)) for n in range(count)])


async def stream_config(nc: Connection, name: str) -> Answer:
    found = await JetStreamApi(nc).stream(name)
    assert found is not None
    config: Answer = found["config"]
    return config


async def consumer_config(nc: Connection, stream: str, durable: str) -> Answer:
    found = await JetStreamApi(nc).consumer(stream, durable)
    assert found is not None
    config: Answer = found["config"]
    return config


async def test_drift_can_be_told_without_repairing_it(nc: Connection) -> None:
    provisioner = Provisioner(nc)
    assert set((await provisioner.drift()).values()) == {"missing"}

    await provisioner.ensure_streams()
    await provisioner.ensure_intake()
    assert await provisioner.drift() == {}

    found = await JetStreamApi(nc).ask(f"STREAM.INFO.{names.EVENTS}")
    await JetStreamApi(nc).ask(f"STREAM.UPDATE.{names.EVENTS}", {**found["config"], "max_age": 0})
    for _ in range(2):
        assert set(await provisioner.drift()) == {names.EVENTS}
        assert "max_age is 0, not " in (await provisioner.drift())[names.EVENTS]
