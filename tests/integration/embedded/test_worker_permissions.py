"""What the workers' user may do on the bus, and what it is refused."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import nats
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, RetentionPolicy, StreamConfig

from rota.infrastructure.embedded.nats import WORKER_INBOX
from rota.infrastructure.embedded.servers import EmbeddedServers

Eventually = Callable[[Callable[[], object]], Awaitable[None]]


@dataclass
class Worker:
    """A client with the workers' credentials, and what the server told it about its rights."""

    client: Client = field(default_factory=Client)
    refusals: list[str] = field(default_factory=list)

    async def connect(self, servers: EmbeddedServers) -> None:
        async def refused(error: Exception) -> None:
            self.refusals.append(str(error).lower())

        await self.client.connect(
            f"127.0.0.1:{servers.nats.port}",
            user=servers.nats.worker_user,
            password=servers.nats.worker_password,
            inbox_prefix=WORKER_INBOX,
            error_cb=refused,
        )


@pytest.fixture
async def operator(nats_url: str) -> AsyncIterator[Client]:
    """With the streams that workers touch, one message of work, and one event that is none of their business."""
    async with await nats.connect(nats_url) as client:
        stream = client.jetstream()
        await stream.add_stream(
            StreamConfig(name="ROTA_WORK", subjects=["scheduler.work.>"], retention=RetentionPolicy.WORK_QUEUE)
        )
        await stream.add_stream(StreamConfig(name="ROTA_REPORTS", subjects=["scheduler.report.*"]))
        await stream.add_stream(StreamConfig(name="ROTA_EVENTS", subjects=["scheduler.run.*.*"]))
        await stream.add_consumer("ROTA_WORK", ConsumerConfig(durable_name="lane", ack_policy=AckPolicy.EXPLICIT))
        await stream.publish("scheduler.work.acme.default.job", b"work")
        await stream.publish("scheduler.run.created.acme", b"an event")
        yield client
        for name in ("ROTA_WORK", "ROTA_REPORTS", "ROTA_EVENTS"):
            await stream.delete_stream(name)


@pytest.fixture
async def worker(servers: EmbeddedServers, operator: Client) -> AsyncIterator[Worker]:
    worker = Worker()
    await worker.connect(servers)
    yield worker
    await worker.client.close()


async def test_a_worker_takes_work_and_acknowledges_it(worker: Worker, operator: Client) -> None:
    lane = await worker.client.jetstream().pull_subscribe_bind(consumer="lane", stream="ROTA_WORK")

    [message] = await lane.fetch(1, timeout=5)
    await message.in_progress()
    await message.ack_sync()

    assert message.data == b"work"
    assert (await lane.consumer_info()).num_ack_pending == 0
    assert (await operator.jetstream().stream_info("ROTA_WORK")).state.messages == 0
    assert worker.refusals == []


async def test_a_worker_hands_work_back(worker: Worker) -> None:
    lane = await worker.client.jetstream().pull_subscribe_bind(consumer="lane", stream="ROTA_WORK")

    [message] = await lane.fetch(1, timeout=5)
    await message.nak()
    [again] = await lane.fetch(1, timeout=5)

    assert again.metadata.num_delivered == 2
    assert worker.refusals == []


async def test_a_worker_reports_and_learns_how_old_the_stream_is(worker: Worker) -> None:
    stored = await worker.client.jetstream().publish("scheduler.report.acme", b"[]")
    reports = await worker.client.jetstream().stream_info("ROTA_REPORTS")

    assert (stored.stream, stored.seq) == ("ROTA_REPORTS", 1)
    assert reports.created is not None
    assert worker.refusals == []


async def test_a_worker_beats_and_is_controlled(worker: Worker, operator: Client) -> None:
    async def answer(beat: Msg) -> None:
        await beat.respond(b"[]")

    await operator.subscribe("scheduler.beat.*", cb=answer)
    await operator.flush()
    control = await worker.client.subscribe("scheduler.control.acme.me")
    await worker.client.flush()
    await operator.publish("scheduler.control.acme.me", b"cancel")

    assert (await worker.client.request("scheduler.beat.acme", b"{}", timeout=5)).data == b"[]"
    assert (await control.next_msg(timeout=5)).data == b"cancel"
    assert worker.refusals == []


@pytest.mark.parametrize(
    "subject",
    [
        "$JS.API.STREAM.MSG.GET.ROTA_EVENTS",
        "$JS.API.STREAM.MSG.GET.ROTA_WORK",
        "$JS.API.DIRECT.GET.ROTA_EVENTS",
        "$JS.API.DIRECT.GET.ROTA_WORK.scheduler.work.acme.default.job",
        "$JS.API.CONSUMER.CREATE.ROTA_EVENTS",
        "$JS.API.CONSUMER.CREATE.ROTA_WORK.mine.scheduler.work.>",
        "$JS.API.CONSUMER.DURABLE.CREATE.ROTA_WORK.mine",
        "$JS.API.CONSUMER.MSG.NEXT.ROTA_EVENTS.any",
        "$JS.API.CONSUMER.DELETE.ROTA_WORK.lane",
        "$JS.API.CONSUMER.NAMES.ROTA_WORK",
        "$JS.API.STREAM.NAMES",
        "$JS.API.STREAM.PURGE.ROTA_WORK",
        "$JS.API.STREAM.DELETE.ROTA_REPORTS",
        "$JS.API.STREAM.INFO.ROTA_EVENTS",
        "$JS.ACK.ROTA_EVENTS.any.1.1.1.1.0",
        "scheduler.work.acme.default.job",
        "scheduler.run.succeeded.acme",
        "scheduler.control.acme.another",
        "scheduler.command.run.create.acme",
        "_INBOX.somebody",
    ],
)
async def test_a_worker_may_not_publish(worker: Worker, subject: str, eventually: Eventually) -> None:
    await worker.client.publish(subject, b"", reply=f"{WORKER_INBOX}.mine")
    await worker.client.flush()

    await eventually(lambda: worker.refusals)
    assert "permissions violation for publish" in worker.refusals[0]


@pytest.mark.parametrize(
    "subject", [">", "scheduler.>", "scheduler.run.*.*", "scheduler.work.>", "_INBOX.>", "_INBOX.*"]
)
async def test_a_worker_may_not_listen(worker: Worker, subject: str, eventually: Eventually) -> None:
    await worker.client.subscribe(subject)
    await worker.client.flush()

    await eventually(lambda: worker.refusals)
    assert "permissions violation for subscription" in worker.refusals[0]
