"""Acknowledged publishing in bulk.

A call numbers its messages, sends them with a reply subject `<inbox>.<call>.<index>`, and puts each
acknowledgement into the slot of its index. One subscription and one event per call serve any number of
messages; a limit on what is in flight, shared by all calls, keeps the server's queue short.

Outcomes of a message: stored (PubAck), or a PublishFailure that is
    REFUSED   the server, or a check before sending, said no: it is not stored
    UNSENT    it was not handed to the connection: it is not stored
    UNKNOWN   it was sent and nothing came back in time, or the link was lost: it may be stored, now or later
Only a message with a `msg_id` may be sent again after UNKNOWN without doubling it.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple, TypeAlias

import orjson
from nats.aio.subscription import Subscription

from rota.infrastructure.nats.connection import Connection

WINDOW: Final = 2_000
ACK_TIMEOUT: Final = 4.0
PATIENCE: Final = 0.25

_STRIDE: Final = 250
_STRIDE_BYTES: Final = 256 * 1024
_CALL_LIMIT: Final = 3
_WRITE_POLL: Final = 0.005


class Message(NamedTuple):
    """What to publish. `msg_id` makes a second sending within the stream's window a duplicate."""

    subject: str
    body: bytes
    msg_id: str | None = None
    headers: tuple[tuple[str, str], ...] = ()


class PubAck(NamedTuple):
    """The stream has stored the message at `seq`; if `duplicate`, it had done so before."""

    stream: str
    seq: int
    duplicate: bool


class Outcome(Enum):
    REFUSED = "REFUSED"
    UNSENT = "UNSENT"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class PublishFailure:
    """Why a message is not known to be stored; `code` is the server's, 0 where it said nothing."""

    outcome: Outcome
    reason: str
    code: int = 0


Result: TypeAlias = PubAck | PublishFailure

_NO_ANSWER: Final = PublishFailure(Outcome.UNKNOWN, "no acknowledgement in time")
_LINK_LOST: Final = PublishFailure(Outcome.UNKNOWN, "the link was lost before the acknowledgement")
_DOWN: Final = PublishFailure(Outcome.UNSENT, "not connected")
_STALLED: Final = PublishFailure(Outcome.UNSENT, "the server does not keep up")
_NO_STREAM: Final = PublishFailure(Outcome.REFUSED, "no stream takes this subject", 503)
_BAD_SUBJECT: Final = PublishFailure(Outcome.REFUSED, "the subject is empty or has white space")
_BAD_HEADER: Final = PublishFailure(Outcome.REFUSED, "a header has a line break")


class _Call:
    """The slots of one `publish`, and who waits for them."""

    __slots__ = ("changed", "is_lost", "results", "sent", "waiting")

    def __init__(self, size: int) -> None:
        self.results: list[Result | None] = [None] * size
        self.sent = 0
        self.waiting = 0
        self.is_lost = False
        self.changed = asyncio.Event()

    def lose(self) -> None:
        self.is_lost = True
        self.changed.set()

    def complete(self) -> list[Result]:
        """Every slot filled: what was sent and not answered is unknown, the rest was never sent."""
        unknown = _LINK_LOST if self.is_lost else _NO_ANSWER
        unsent = _DOWN if self.is_lost else _STALLED
        return [
            result if result is not None else unknown if index < self.sent else unsent
            for index, result in enumerate(self.results)
        ]


class Publisher:
    """Publishes to JetStream through one connection; safe for concurrent callers.

    Within one call messages reach the server in their order. A call ends at the latest `ack_timeout`
    seconds after the last sign of progress, and after three times that once all was sent.
    """

    def __init__(self, nc: Connection, *, window: int = WINDOW, ack_timeout: float = ACK_TIMEOUT) -> None:
        self._nc = nc
        self._window = window
        self._stride = min(_STRIDE, window)
        self._ack_timeout = ack_timeout
        self._inbox = nc.new_inbox()
        self._skip = len(self._inbox) + 1
        self._calls: dict[int, _Call] = {}
        self._count = 0
        self._in_flight = 0
        self.failures: Counter[Outcome] = Counter()
        """Messages that were not acknowledged, since the beginning."""
        self._room = asyncio.Event()
        self._opening = asyncio.Lock()
        self._subscription: Subscription | None = None

    @property
    def in_flight(self) -> int:
        """How many messages of calls under way are sent and not answered."""
        return self._in_flight

    async def publish(self, messages: Sequence[Message]) -> list[Result]:
        """What became of each message, in their order; raises nothing of the bus's making."""
        if not messages:
            return []
        if not await self._nc.ready(PATIENCE):
            self.failures[_DOWN.outcome] += len(messages)
            return [_DOWN] * len(messages)
        await self._open()
        self._count += 1
        number, call = self._count, _Call(len(messages))
        self._calls[number] = call
        try:
            await self._send(number, call, messages)
            await self._settled(call)
        finally:
            del self._calls[number]
            self._in_flight -= call.waiting
            self._room.set()
        results = call.complete()
        self.failures.update(result.outcome for result in results if isinstance(result, PublishFailure))
        return results

    async def close(self) -> None:
        """Stop listening; calls under way end with what they have."""
        self._nc.off_loss(self._lose)
        self._lose()
        if self._subscription is not None:
            await self._nc.unlisten(self._subscription)
            self._subscription = None

    async def _open(self) -> None:
        async with self._opening:
            if self._subscription is None:
                self._nc.on_loss(self._lose)
                self._subscription = await self._nc.listen(f"{self._inbox}.>", self._take)

    async def _send(self, number: int, call: _Call, messages: Sequence[Message]) -> None:
        while call.sent < len(messages):
            if not await self._has_room(call):
                return
            chunk, end = self._encode(number, call, messages)
            if chunk and not await self._write(call, chunk):
                return
            going = call.results[call.sent : end].count(None)
            call.sent = end
            call.waiting += going
            self._in_flight += going

    def _encode(self, number: int, call: _Call, messages: Sequence[Message]) -> tuple[bytes, int]:
        """The next messages as one chunk, and the index after the last of them."""
        parts: list[bytes] = []
        size, index = 0, call.sent
        end = min(len(messages), index + self._stride)
        reply, limit = f"{self._inbox}.{number}.", self._nc.max_payload
        while index < end and size < _STRIDE_BYTES:
            message = messages[index]
            command = _command(message, f"{reply}{index}", limit)
            if isinstance(command, PublishFailure):
                call.results[index] = command
            else:
                parts += (command, message.body, b"\r\n")
                size += len(message.body)
            index += 1
        return b"".join(parts), index

    async def _has_room(self, call: _Call) -> bool:
        """Wait until a stride fits into the window; False when the link is lost or no answer comes."""
        while self._in_flight > self._window - self._stride and not call.is_lost:
            self._room.clear()
            if not await _happens(self._room, self._ack_timeout):
                return False
        return not call.is_lost

    async def _write(self, call: _Call, chunk: bytes) -> bool:
        """Hand over a chunk, waiting for the socket if it does not keep up; False when it was not taken."""
        deadline = time.monotonic() + self._ack_timeout
        while not call.is_lost and self._nc.is_connected and time.monotonic() < deadline:
            if self._nc.write(chunk):
                return True
            await asyncio.sleep(_WRITE_POLL)
        call.is_lost = call.is_lost or not self._nc.is_connected
        return False

    async def _settled(self, call: _Call) -> None:
        """Wait for the answers that are still out, as long as they keep coming."""
        limit = time.monotonic() + _CALL_LIMIT * self._ack_timeout
        while call.waiting and not call.is_lost and time.monotonic() < limit:
            before = call.waiting
            call.changed.clear()
            if not await _happens(call.changed, self._ack_timeout) and call.waiting == before:
                return

    def _take(self, subject: bytes, _reply: bytes, body: bytes, header: bytes) -> None:
        number, _, index = subject[self._skip :].partition(b".")
        call = self._calls.get(int(number))
        if call is None:
            return
        slot = int(index)
        if call.results[slot] is not None:
            return
        call.results[slot] = _result(body, header)
        call.waiting -= 1
        self._in_flight -= 1
        if not call.waiting:
            call.changed.set()
        if self._in_flight <= self._window - self._stride:
            self._room.set()

    def _lose(self) -> None:
        for call in self._calls.values():
            call.lose()
        self._room.set()


def _command(message: Message, reply: str, limit: int) -> bytes | PublishFailure:
    """The protocol line and header block of a message, or why it cannot be sent."""
    subject, body, msg_id, headers = message
    if subject.split() != [subject]:
        return _BAD_SUBJECT
    header = _header(msg_id, headers)
    lines = len(headers) + (2 if msg_id is None else 3)
    if header and not header.count("\r") == header.count("\n") == lines:
        return _BAD_HEADER
    block = header.encode()
    size = len(block) + len(body)
    if size > limit:
        return PublishFailure(Outcome.REFUSED, f"{size} bytes are more than the server's limit of {limit}", 413)
    if not block:
        return f"PUB {subject} {reply} {size}\r\n".encode()
    return b"%b%b" % (f"HPUB {subject} {reply} {len(block)} {size}\r\n".encode(), block)


def _header(msg_id: str | None, headers: tuple[tuple[str, str], ...]) -> str:
    """The header block, empty if there is nothing to say."""
    if msg_id is None and not headers:
        return ""
    first = "NATS/1.0\r\n" if msg_id is None else f"NATS/1.0\r\nNats-Msg-Id: {msg_id}\r\n"
    rest = "".join([f"{name}: {value}\r\n" for name, value in headers]) if headers else ""
    return f"{first}{rest}\r\n"


def _result(body: bytes, header: bytes) -> Result:
    """What the server's answer means."""
    if not body:
        return _NO_STREAM if header.startswith(b"NATS/1.0 503") else _unreadable(header)
    try:
        answer = orjson.loads(body)
        error = answer.get("error")
        if error is None:
            return PubAck(answer["stream"], answer["seq"], answer.get("duplicate", False))
        return PublishFailure(Outcome.REFUSED, error.get("description", ""), error.get("code", 0))
    except (ValueError, KeyError, AttributeError):
        return _unreadable(body)


def _unreadable(answer: bytes) -> PublishFailure:
    return PublishFailure(Outcome.UNKNOWN, f"an answer that is no acknowledgement: {answer[:80]!r}")


async def _happens(event: asyncio.Event, timeout: float) -> bool:
    try:
        async with asyncio.timeout(timeout):
            await event.wait()
    except TimeoutError:
        return False
    return True
