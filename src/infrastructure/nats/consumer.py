"""Batch pulls that survive what servers do.

One pull request at a time, of the server's one-shot kind (`no_wait` with `expires`): it waits for the first
message, brings what is there and ends. Nothing stays parked at the server between two fetches, so no message
is given to a client that has stopped asking.

A sequence number means something only within one incarnation of the consumer: the server settles by number
alone, so an acknowledgement from before a wipe would remove another message after it. Hence each delivery
belongs to the incarnation (the consumer's time of creation) it came from, which is asked for again after
every loss of the link: then settlements held back are sent, or dropped with their incarnation.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from rota.domain.errors import UnavailableError
from rota.infrastructure.nats.api import ApiRefusalError, JetStreamApi
from rota.infrastructure.nats.connection import Connection, SparseLog

MAX_FETCH: Final = 5.0
ACK_TIMEOUT: Final = 4.0

_ANSWER_GRACE: Final = 0.5
_ABSENT_LIMIT: Final = 3
_ABSENT_PAUSE: Final = (0.1, 0.3)
_EARLY_PAUSE: Final = (0.01, 0.03)
_REFUSED_PAUSE: Final = (0.1, 0.5)

_ACK: Final = b"+ACK"
_PROGRESS: Final = b"+WPI"

_sparse = SparseLog()


class ConsumerGoneError(UnavailableError):
    """The consumer or its stream is not there; provisioning may bring it back."""

    code = "consumer-gone"

    def __init__(self, stream: str, durable: str, why: str) -> None:
        self.stream = stream
        self.durable = durable
        super().__init__(f"consumer {durable} of {stream} is gone: {why}")


@dataclass(slots=True, eq=False)
class Delivery:
    """One message, and how to settle it. `delivered` counts from 1."""

    subject: str
    body: bytes
    seq: int
    delivered: int
    incarnation: int
    reply: bytes
    _header: bytes
    _consumer: PullConsumer
    _at: float

    @property
    def headers(self) -> dict[str, str]:
        """The message's headers, read each time they are asked for."""
        lines = self._header.split(b"\r\n")[1:]
        pairs = (line.decode(errors="replace").partition(":") for line in lines if line)
        return {name.strip(): value.strip() for name, _, value in pairs}

    def ack(self) -> None:
        """Done with it. Not confirmed: if this is lost, the message comes again."""
        self._consumer.settle(self, _ACK)

    def nak(self, delay: float = 0.0) -> None:
        """Give it to somebody, after `delay` seconds."""
        self._consumer.settle(self, b'-NAK {"delay":%d}' % int(delay * 1e9) if delay > 0 else b"-NAK")

    def term(self, reason: str = "") -> None:
        """Never deliver it again."""
        self._consumer.settle(self, f"+TERM {reason}".rstrip().encode())

    def in_progress(self) -> None:
        """Start the ack wait again."""
        self._consumer.settle(self, _PROGRESS)

    async def ack_sync(self) -> None:
        """As `ack`, and wait for the server's word; raises UnavailableError (then it may come again)."""
        await self._consumer.ack_all_sync([self])


@dataclass(slots=True)
class _Request:
    """A pull under way."""

    inbox: bytes
    wanted: int
    status: int = 0
    description: str = ""
    over: asyncio.Event = field(default_factory=asyncio.Event)


class PullConsumer:
    """Reads one durable consumer. Fetches of several tasks take turns.

    `ack_wait` in seconds is the consumer's: what has lain here longer is not handed out, since by then the
    server gives it to somebody else.
    """

    def __init__(self, nc: Connection, stream: str, durable: str, *, ack_wait: float = 5.0) -> None:
        self._nc = nc
        self._api = JetStreamApi(nc)
        self._stream = stream
        self._durable = durable
        self._ack_wait = ack_wait
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}"
        self._inbox = nc.new_inbox()
        self._turn = asyncio.Lock()
        self._subscription: Subscription | None = None
        self._buffer: deque[Delivery] = deque()
        self._held: list[tuple[Delivery, bytes]] = []
        self._request: _Request | None = None
        self._absences = 0
        self._created: str | None = None
        self._incarnation = 0
        self._known_at = -1
        self.requests = 0
        """How many pulls were sent."""

    async def fetch(self, max_messages: int, timeout: float) -> list[Delivery]:
        """What is there, at most `max_messages`; waits up to `timeout` (at most 5) seconds for the first.

        Empty when nothing came or the link is down. Raises ConsumerGoneError; never returns at once with
        nothing for long, so a loop around it does not spin. A fetch that is cancelled loses no message.
        """
        deadline = time.monotonic() + min(timeout, MAX_FETCH)
        async with self._turn:
            await self._open()
            self._drop_stale()
            while not self._buffer:
                if not await self._nc.ready(deadline - time.monotonic()):
                    break
                if await self._identified():
                    await self._pull(max_messages, deadline)
                if time.monotonic() >= deadline:
                    break
            return [self._buffer.popleft() for _ in range(min(max_messages, len(self._buffer)))]

    def settle(self, delivery: Delivery, word: bytes) -> None:
        """Send `word` for a delivery; held until the next fetch if the link was lost since it came."""
        if delivery.incarnation != self._incarnation:
            return
        if self._known_at != self._nc.losses:
            self._held.append((delivery, word))
        else:
            self._nc.write(_settlement(delivery, word))

    def ack_all(self, deliveries: Iterable[Delivery]) -> None:
        """Acknowledge many with one write."""
        current = [each for each in deliveries if each.incarnation == self._incarnation]
        if self._known_at != self._nc.losses:
            self._held.extend((each, _ACK) for each in current)
        elif current:
            self._nc.write(b"".join(_settlement(each, _ACK) for each in current))

    async def ack_all_sync(self, deliveries: Sequence[Delivery]) -> None:
        """Acknowledge many and wait for the server's word on the last, which it gives after all others.

        Raises UnavailableError when it does not come, or the link was lost meanwhile: then some may come again.
        """
        if not deliveries:
            return
        losses = self._nc.losses
        await self._still_ours(deliveries)
        self.ack_all(deliveries[:-1])
        try:
            await self._nc.request(deliveries[-1].reply.decode(), _ACK, timeout=ACK_TIMEOUT)
        except (NatsError, OSError) as error:
            raise UnavailableError(f"{self._durable}: acknowledgement not confirmed") from error
        if self._nc.losses != losses:
            raise UnavailableError(f"{self._durable}: the link was lost during acknowledgement")

    async def close(self) -> None:
        """Stop listening; what was delivered and not settled comes again elsewhere."""
        self._nc.off_loss(self._lose)
        if self._subscription is not None:
            await self._nc.unlisten(self._subscription)
            self._subscription = None

    async def _open(self) -> None:
        if self._subscription is None:
            self._nc.on_loss(self._lose)
            self._subscription = await self._nc.listen(f"{self._inbox}.*", self._take)

    async def _still_ours(self, deliveries: Iterable[Delivery]) -> None:
        if self._known_at != self._nc.losses and not await self._identified():
            raise UnavailableError(f"{self._durable}: the bus does not answer")
        if any(each.incarnation != self._incarnation for each in deliveries):
            raise UnavailableError(f"{self._durable}: the consumer was made anew since")

    async def _identified(self) -> bool:
        """Know which incarnation this is, again after each loss; False, after a pause, if nobody says."""
        losses = self._nc.losses
        if self._known_at == losses:
            return True
        try:
            found = await self._api.consumer(self._stream, self._durable)
        except (UnavailableError, ApiRefusalError) as error:
            _sparse.warning("consumer_not_identified", error=str(error), durable=self._durable)
            await asyncio.sleep(random.uniform(*_ABSENT_PAUSE))
            return False
        if found is None:
            await asyncio.sleep(random.uniform(*_ABSENT_PAUSE))
            raise self._gone("not found")
        self._recognise(found["created"], losses)
        return True

    def _recognise(self, created: str, losses: int) -> None:
        if created != self._created:
            self._created = created
            self._incarnation += 1
            self._buffer.clear()
            self._held.clear()
        self._known_at = losses
        for delivery, word in self._held:
            self._nc.write(_settlement(delivery, word))
        self._held.clear()

    async def _pull(self, batch: int, deadline: float) -> None:
        left = max(deadline - time.monotonic(), 0.0)
        self.requests += 1
        request = _Request(f"{self._inbox}.{self.requests}".encode(), batch)
        self._request = request
        self._ask(request, left)
        try:
            async with asyncio.timeout(left + _ANSWER_GRACE):
                await request.over.wait()
        except TimeoutError:
            _sparse.warning("pull_unanswered", error="", durable=self._durable)
        finally:
            self._request = None
        if not self._buffer:
            await self._heed(request, deadline)

    def _ask(self, request: _Request, left: float) -> None:
        body = orjson.dumps({"batch": request.wanted, "no_wait": True, "expires": int(left * 1e9)})
        head = f"PUB {self._subject} {request.inbox.decode()} {len(body)}\r\n"
        self._nc.write(b"%s%s\r\n" % (head.encode(), body))

    async def _heed(self, request: _Request, deadline: float) -> None:
        """After a pull that brought nothing: pause as its status asks for, or raise ConsumerGoneError."""
        if request.status != 503:
            self._absences = 0
        if request.status == 409 and request.description in ("Consumer Deleted", "Consumer is push based"):
            raise self._gone(request.description)
        if request.status == 503:
            await self._absent()
        elif request.status == 409 or request.status == 400:
            _sparse.warning("pull_refused", error=request.description, durable=self._durable)
            await asyncio.sleep(random.uniform(*_REFUSED_PAUSE))
        elif time.monotonic() < deadline:
            await asyncio.sleep(random.uniform(*_EARLY_PAUSE))

    async def _absent(self) -> None:
        """Nobody serves the consumer: gone, or a server that is still starting."""
        self._absences += 1
        await asyncio.sleep(random.uniform(*_ABSENT_PAUSE))
        if self._absences >= _ABSENT_LIMIT:
            raise self._gone("nobody answers for it")

    def _gone(self, why: str) -> ConsumerGoneError:
        self._known_at = -1
        return ConsumerGoneError(self._stream, self._durable, why)

    def _take(self, subject: bytes, reply: bytes, body: bytes, header: bytes) -> None:
        request = self._request
        if reply:
            self._absences = 0
            self._buffer.append(self._delivery(subject, reply, body, header))
            if request is not None and len(self._buffer) >= request.wanted:
                request.over.set()
        elif request is not None and subject == request.inbox:
            request.status, request.description = _status(header)
            request.over.set()

    def _delivery(self, subject: bytes, reply: bytes, body: bytes, header: bytes) -> Delivery:
        delivered, seq = _place(reply)
        return Delivery(
            subject.decode(), body, seq, delivered, self._incarnation, reply, header, self, time.monotonic()
        )

    def _lose(self) -> None:
        if self._request is not None:
            self._request.over.set()

    def _drop_stale(self) -> None:
        oldest = time.monotonic() - self._ack_wait
        while self._buffer and self._buffer[0]._at < oldest:
            self._buffer.popleft()


def _settlement(delivery: Delivery, word: bytes) -> bytes:
    return b"PUB %s %d\r\n%s\r\n" % (delivery.reply, len(word), word)


def _place(reply: bytes) -> tuple[int, int]:
    """How often delivered, and the place in the stream, from `$JS.ACK.…`.

    Nine tokens: stream, consumer, delivered, stream sequence, …; with eleven or more, two come before them
    (domain and account).
    """
    tokens = reply.split(b".")
    first = 4 if len(tokens) == 9 else 6
    return int(tokens[first]), int(tokens[first + 1])


def _status(header: bytes) -> tuple[int, str]:
    """The code and text of `NATS/1.0 404 No Messages`; 0 if there is none."""
    _, _, line = header.partition(b"\r\n")[0].partition(b" ")
    code, _, description = line.partition(b" ")
    return (int(code) if code.isdigit() else 0), description.decode(errors="replace")
