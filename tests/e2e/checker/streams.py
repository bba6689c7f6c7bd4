"""Reads the streams as they are at the end; changes nothing in them."""

from __future__ import annotations

import nats
from nats.aio.msg import Msg
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, StreamInfo
from nats.js.errors import NotFoundError
from tests.e2e.checker.history import Message, Reader, Stream

EVENTS, WORK, REPORTS, TOPICS = "ROTA_EVENTS", "ROTA_WORK", "ROTA_REPORTS", "ROTA_TOPICS"
BATCH = 1_000
MSG_ID = "Nats-Msg-Id"


async def read_streams(url: str) -> dict[str, Stream | None]:
    """The four streams of the contract; None for one that does not exist."""
    client = await nats.connect(url, connect_timeout=5, max_reconnect_attempts=3)
    try:
        bus = client.jetstream(timeout=10)
        return {name: await _read_stream(bus, name) for name in (EVENTS, WORK, REPORTS, TOPICS)}
    finally:
        await client.close()


async def _read_stream(bus: JetStreamContext, name: str) -> Stream | None:
    try:
        info = await bus.stream_info(name)
    except NotFoundError:
        return None
    readers = [
        Reader(each.name or "", each.num_pending or 0, each.num_ack_pending or 0)
        for each in await bus.consumers_info(name)
    ]
    messages = await (_scan(bus, name, info) if name in (EVENTS, TOPICS) else _look_up(bus, name, info))
    if info.created is None:
        raise ValueError(f"the server tells no creation time of {name}")
    return Stream(info.created, info.state.first_seq, messages, readers)


async def _scan(bus: JetStreamContext, name: str, info: StreamInfo) -> list[Message]:
    """Headers only, through a consumer that leaves no trace."""
    found: list[Message] = []
    config = ConsumerConfig(
        ack_policy=AckPolicy.NONE,
        deliver_policy=DeliverPolicy.ALL,
        headers_only=True,
        mem_storage=True,
        inactive_threshold=30,
    )
    reading = await bus.pull_subscribe("", stream=name, config=config)
    while info.state.messages and (not found or found[-1].seq < info.state.last_seq):
        try:
            batch = await reading.fetch(BATCH, timeout=5)
        except NatsTimeoutError:  # the end was removed meanwhile
            break
        found.extend(_message(each) for each in batch)
    await reading.unsubscribe()
    return found


def _message(found: Msg) -> Message:
    told = found.metadata
    return Message(told.sequence.stream, found.subject, (found.headers or {}).get(MSG_ID), told.timestamp)


async def _look_up(bus: JetStreamContext, name: str, info: StreamInfo) -> list[Message]:
    """One by one: a work queue refuses a second consumer. Few are left when all is quiet."""
    if name == REPORTS:
        return []
    found = []
    for seq in range(info.state.first_seq, info.state.last_seq + 1) if info.state.messages else ():
        try:
            each = await bus.get_msg(name, seq)
        except NotFoundError:
            continue
        found.append(Message(seq, each.subject or "", (each.headers or {}).get(MSG_ID)))
    return found
