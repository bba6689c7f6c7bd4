"""The streams of events and topics as those read them whose schedules listen.

The consumer has just the subjects that somebody listens to, and is made anew when these change: one that begins at the
right place, because what was stored between a schedule's creation and that moment is for the schedule too.

    safe      every message at or below it is done with, for every schedule that was there at the last look.
              Kept in the store (`Cursors`), so that it outlives the consumer, the process and the stream.
    reached   how far the consumer has come: to the end if nothing is left, else to its ack floor
    before    where the stream ended at the look before this one: a schedule that is new to this look did not
              listen to anything at or below it

With the same subjects as before, `reached` is safe. With others, the new consumer begins behind the lesser of `reached`
and `before`; what is read twice for that is recognised by who takes it. A stream of another life, or one that has
lost its end, begins anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from rota.application.ports.event_inbox import EventMessage
from rota.application.ports.log import Cursor, Cursors
from rota.domain.errors import UnavailableError
from rota.domain.subject_matching import disjoint
from rota.infrastructure.nats import names
from rota.infrastructure.nats.configs import TRIGGERS_ACK_WAIT_SEC
from rota.infrastructure.nats.connection import Connection
from rota.infrastructure.nats.consumer import ConsumerGoneError, Delivery, PullConsumer
from rota.infrastructure.nats.provisioner import Provisioner, StreamState, TriggersState

log = structlog.get_logger()

MOST_FILTERS: Final = 100
"""More subjects than this are widened: the server compares each message with all of them."""
LEAST: Final = 0.005
"""An empty fetch lasts at least this long, whatever made it return: the loop around it must not spin."""

_EPOCH: Final = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class _Taken(EventMessage):
    delivery: Delivery
    consumer: PullConsumer


@dataclass(frozen=True, slots=True)
class _Look:
    stream: StreamState
    consumer: TriggersState | None

    @property
    def life(self) -> str:
        return self.stream.created.isoformat()


class NatsEventInbox:
    """One stream: ROTA_TOPICS or ROTA_EVENTS. What is found missing on the way is made anew."""

    def __init__(self, connection: Connection, provisioner: Provisioner, cursors: Cursors, stream: str) -> None:
        self._connection = connection
        self._provisioner = provisioner
        self._cursors = cursors
        self._stream = stream
        self._cursor = f"triggers:{stream}"
        self._consumer: PullConsumer | None = None
        self._look: _Look | None = None
        self._safe: Cursor | None = None
        self._before = 0

    @property
    def name(self) -> str:
        return self._stream

    async def look(self) -> None:
        look = _Look(await self._state(), await self._provisioner.triggers_state(self._stream))
        if self._safe is None:
            self._safe = await self._cursors.read(self._cursor)
            self._before = self._safe.position if self._safe else look.stream.last_seq
        if self._safe is None:
            await self._keep(Cursor(look.stream.last_seq, look.life))
        elif self._safe.generation != look.life:
            await self._begin_at(0, look)
        elif self._safe.position > look.stream.last_seq:
            await self._begin_at(look.stream.last_seq, look)
        self._look = look

    async def follow(self, subjects: Collection[str]) -> None:
        look = self._look
        assert look is not None, "look first"
        wanted = filters_for(self._stream, subjects)
        reached = self._reached(look)
        if set(wanted) != set(look.consumer.subjects if look.consumer else ()):
            reached = min(reached, self._before)
            await self._remake(wanted, reached + 1)
        elif wanted and self._consumer is None:
            self._consumer = self._reader()
        await self._keep(Cursor(reached if wanted else look.stream.last_seq, look.life))
        self._before = look.stream.last_seq

    async def fetch(self, limit: int, timeout: float) -> Sequence[EventMessage]:
        consumer = self._consumer
        if consumer is None:
            await asyncio.sleep(timeout)
            return []
        try:
            found = await consumer.fetch(limit, timeout)
        except ConsumerGoneError as error:
            log.warning("triggers_consumer_gone", error=str(error))
            await asyncio.sleep(timeout)
            return []
        if not found:
            await asyncio.sleep(LEAST)
        return [self._taken(each, consumer) for each in found]

    async def acknowledge(self, messages: Sequence[EventMessage]) -> None:
        """Those of a consumer that has been made anew come again, and must not be settled: the number of one would
        settle another.
        """
        ours = [each for each in messages if isinstance(each, _Taken) and each.consumer is self._consumer]
        if self._consumer is not None:
            self._consumer.ack_all([each.delivery for each in ours])

    async def close(self) -> None:
        await self._drop_consumer()
        self._look = None
        self._safe = None

    async def _state(self) -> StreamState:
        state = await self._provisioner.stream_state(self._stream)
        if state is None:
            await self._provisioner.ensure_streams()
            state = await self._provisioner.stream_state(self._stream)
        if state is None:
            raise UnavailableError(f"{self._stream} cannot be made")
        return state

    def _reached(self, look: _Look) -> int:
        assert self._safe is not None
        if look.consumer is None:
            return self._safe.position
        return look.stream.last_seq if look.consumer.is_idle else max(look.consumer.floor, self._safe.position)

    async def _begin_at(self, place: int, look: _Look) -> None:
        await self._drop_consumer()
        await self._keep(Cursor(place, look.life))
        self._before = place

    async def _keep(self, safe: Cursor) -> None:
        if safe != self._safe:
            await self._cursors.move(self._cursor, safe)
            self._safe = safe

    async def _remake(self, subjects: Sequence[str], first: int) -> None:
        await self._drop_consumer()
        if subjects:
            await self._provisioner.remake_triggers(self._stream, subjects, first)
            self._consumer = self._reader()
        else:
            await self._provisioner.remove_triggers(self._stream)
        log.info("triggers_follow", stream=self._stream, subjects=len(subjects), first=first)

    def _reader(self) -> PullConsumer:
        return PullConsumer(self._connection, self._stream, names.TRIGGERS, ack_wait=TRIGGERS_ACK_WAIT_SEC)

    async def _drop_consumer(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.close()

    def _taken(self, delivery: Delivery, consumer: PullConsumer) -> _Taken:
        assert self._look is not None
        place = f"{self._look.life}:{delivery.seq}"
        return _Taken(delivery.subject, delivery.body, delivery.headers, stored_at(delivery), place, delivery, consumer)


def stored_at(delivery: Delivery) -> datetime:
    """When the stream stored it, from `$JS.ACK.…`: two tokens behind its place there, in nanoseconds."""
    tokens = delivery.reply.split(b".")
    nanoseconds = int(tokens[7 if len(tokens) == 9 else 9])
    return _EPOCH + timedelta(microseconds=nanoseconds // 1_000)


def filters_for(stream: str, patterns: Iterable[str]) -> tuple[str, ...]:
    """What a consumer of the stream is given so that it brings all that matches: disjoint, as the server wants it.

    Where these are too many, it brings more than that.
    """
    exact = {subject for pattern in patterns for subject in _inside(stream, pattern)}
    if len(exact) <= MOST_FILTERS:
        return disjoint(exact)
    widen = _TOPICS if stream == names.TOPICS else _EVENTS
    per_tenant = {widen[0](subject.split(".")) for subject in exact}
    if len(per_tenant) <= MOST_FILTERS:
        return disjoint(per_tenant)
    return disjoint(widen[1](subject.split(".")) for subject in exact)


def _inside(stream: str, pattern: str) -> Sequence[str]:
    """A filter must lie inside one subject of the stream; those of events name the aggregate."""
    words = pattern.split(".")
    if stream == names.TOPICS:
        return [pattern] if words[0] == "topic" else []
    if words[0] != "scheduler" or len(words) != 4:
        return []
    aggregates = names.AGGREGATES if words[1] == "*" else (words[1],)
    return [".".join(["scheduler", aggregate, *words[2:]]) for aggregate in aggregates]


_Widen = Callable[[list[str]], str]
_TOPICS: Final[tuple[_Widen, _Widen]] = (lambda words: f"topic.{words[1]}.>", lambda _: "topic.>")
_EVENTS: Final[tuple[_Widen, _Widen]] = (
    lambda words: f"scheduler.{words[1]}.*.{words[3]}",
    lambda words: f"scheduler.{words[1]}.*.*",
)
