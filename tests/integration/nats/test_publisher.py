from __future__ import annotations

import asyncio
import time
from uuid import uuid4

from rota.infrastructure.nats.api import JetStreamApi
from rota.infrastructure.nats.connection import WRITE_LIMIT, Connection
from rota.infrastructure.nats.provisioner import Provisioner
from rota.infrastructure.nats.publisher import Message, Outcome, PubAck, Publisher, PublishFailure, Result

from .conftest import NatsServer, eventually, reconnected

SUBJECT = "scheduler.run.created.acme"


async def test_messages_are_stored_in_their_order(publisher: Publisher, nc: Connection) -> None:
    results = await publisher.publish([a_message() for _ in range(1_200)])

    assert results == [PubAck("ROTA_EVENTS", seq, False) for seq in range(1, 1_201)]
    assert await stored(nc) == 1_200


async def test_a_message_sent_twice_is_stored_once(publisher: Publisher, nc: Connection) -> None:
    message = a_message()

    first, second = await publisher.publish([message, message])

    assert (first, second) == (PubAck("ROTA_EVENTS", 1, False), PubAck("ROTA_EVENTS", 1, True))
    assert await stored(nc) == 1


async def test_headers_and_bodies_arrive_as_given(publisher: Publisher, nc: Connection) -> None:
    heard = await nc.subscribe(SUBJECT)

    await publisher.publish([Message(SUBJECT, b"\r\n\x00", "an-id", (("traceparent", "00-ä"),)), Message(SUBJECT, b"")])

    with_headers, plain = await heard.next_msg(5), await heard.next_msg(5)
    assert with_headers.data == b"\r\n\x00"
    assert with_headers.headers == {"Nats-Msg-Id": "an-id", "traceparent": "00-ä"}
    assert (plain.data, plain.headers) == (b"", None)


async def test_exactly_the_messages_that_failed_are_reported(publisher: Publisher, nc: Connection) -> None:
    messages = [a_message() for _ in range(600)]
    messages[3] = Message("nobody.listens", b"{}")
    messages[200] = Message("two words", b"{}")
    messages[255] = Message(SUBJECT, b"{}", "line\r\nbreak")
    messages[599] = Message(SUBJECT, bytes(nc.max_payload + 1))

    results = await publisher.publish(messages)

    failures = {index: result for index, result in enumerate(results) if isinstance(result, PublishFailure)}
    assert {index: (failure.outcome, failure.code) for index, failure in failures.items()} == {
        3: (Outcome.REFUSED, 503),
        200: (Outcome.REFUSED, 0),
        255: (Outcome.REFUSED, 0),
        599: (Outcome.REFUSED, 413),
    }
    assert await stored(nc) == 596


async def test_a_full_stream_refuses_the_rest_and_says_why(publisher: Publisher, nc: Connection) -> None:
    tiny = {"name": "TINY", "subjects": ["tiny"], "storage": "file", "discard": "new", "max_msgs": 5}
    await JetStreamApi(nc).ask("STREAM.CREATE.TINY", tiny)

    results = await publisher.publish([Message("tiny", b"{}", str(n)) for n in range(8)])

    assert [type(result) for result in results] == [PubAck] * 5 + [PublishFailure] * 3
    assert results[5] == PublishFailure(Outcome.REFUSED, "maximum messages exceeded", 503)


async def test_an_answer_that_does_not_come_is_unknown_and_sending_again_stores_once(
    server: NatsServer, publisher: Publisher, nc: Connection
) -> None:
    messages = [a_message() for _ in range(50)]
    await publisher.publish([a_message()])

    server.freeze()
    unknown = await publisher.publish(messages)
    server.thaw()
    again = await publisher.publish(messages)

    assert {outcome_of(result) for result in unknown} == {Outcome.UNKNOWN}
    assert [type(result) for result in again] == [PubAck] * 50
    assert await stored(nc) == 51


async def test_a_killed_server_leaves_no_doubt_after_sending_again(
    server: NatsServer, publisher: Publisher, nc: Connection
) -> None:
    messages = [a_message() for _ in range(20_000)]
    publishing = asyncio.create_task(publisher.publish(messages))
    await eventually(lambda: has_stored(nc, 1))

    losses = nc.losses
    server.kill()
    results = await publishing
    server.start()
    await reconnected(nc, losses)
    failed = [message for message, result in zip(messages, results, strict=True) if outcome_of(result)]
    again = await publisher.publish(failed)

    assert failed
    assert publisher.in_flight == 0
    assert [type(result) for result in again] == [PubAck] * len(failed)
    assert await stored(nc) == 20_000


async def test_without_a_link_publishing_fails_soon_and_keeps_nothing(
    server: NatsServer, publisher: Publisher, nc: Connection
) -> None:
    server.kill()
    await eventually(lambda: is_down(nc))
    started = time.monotonic()

    results = [await publisher.publish([a_message()] * 1_000) for _ in range(3)]

    assert {outcome_of(result) for batch in results for result in batch} == {Outcome.UNSENT}
    assert time.monotonic() - started < 3
    assert nc.pending_data_size < 1_000


async def test_a_server_that_stops_reading_fills_no_memory(
    server: NatsServer, publisher: Publisher, nc: Connection
) -> None:
    await publisher.publish([a_message()])
    server.freeze()

    results = await publisher.publish([Message(SUBJECT, bytes(500_000), str(n)) for n in range(60)])

    assert {outcome_of(result) for result in results} <= {Outcome.UNKNOWN, Outcome.UNSENT}
    assert nc.pending_data_size <= WRITE_LIMIT
    assert publisher.in_flight == 0


async def test_concurrent_callers_share_the_window_and_get_their_own_answers(nc: Connection) -> None:
    await Provisioner(nc).ensure_streams()
    publisher = Publisher(nc, window=100)
    highest = 0

    async def watch() -> None:
        nonlocal highest
        while True:
            highest = max(highest, publisher.in_flight)
            await asyncio.sleep(0)

    watching = asyncio.create_task(watch())
    batches = await asyncio.gather(*(publisher.publish([a_message() for _ in range(500)]) for _ in range(10)))
    watching.cancel()

    sequences = [result.seq for batch in batches for result in batch if isinstance(result, PubAck)]
    assert sorted(sequences) == list(range(1, 5_001))
    assert all(batch == sorted(batch, key=seq_of) for batch in batches)
    assert 0 < highest <= 100
    assert publisher.in_flight == 0


async def test_a_cancelled_call_gives_its_place_back(server: NatsServer, publisher: Publisher) -> None:
    messages = [a_message() for _ in range(1_000)]
    await publisher.publish([a_message()])
    server.freeze()
    publishing = asyncio.create_task(publisher.publish(messages))
    await eventually(lambda: is_in_flight(publisher, 1_000))

    publishing.cancel()
    await asyncio.gather(publishing, return_exceptions=True)
    server.thaw()

    assert publishing.cancelled()
    assert publisher.in_flight == 0
    assert isinstance((await publisher.publish([a_message()]))[0], PubAck)


async def test_nothing_to_publish_is_nothing_done(publisher: Publisher) -> None:
    assert await publisher.publish([]) == []


def a_message() -> Message:
    return Message(SUBJECT, b"{}", str(uuid4()))


def outcome_of(result: Result) -> Outcome | None:
    return result.outcome if isinstance(result, PublishFailure) else None


def seq_of(result: Result) -> int:
    assert isinstance(result, PubAck)
    return result.seq


async def stored(nc: Connection) -> int:
    state = await Provisioner(nc).stream_state("ROTA_EVENTS")
    assert state is not None
    return state.messages


async def has_stored(nc: Connection, messages: int) -> bool:
    return await stored(nc) >= messages


async def is_down(nc: Connection) -> bool:
    return not nc.is_connected


async def is_in_flight(publisher: Publisher, messages: int) -> bool:
    return publisher.in_flight >= messages
