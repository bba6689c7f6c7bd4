"""The relay: every event at least once, an aggregate's in their order, and nothing passed over."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import count

import pytest
from tests.support.builders import ACME, NOON, SECOND, next_id

from rota.application.ports.checkpoint import Checkpoint, pass_by
from rota.application.ports.log import Cursor, LogEntry
from rota.application.relay_events import BATCH, RELAY, Relayed, RelayEvents, RelayEventsHandler, windows
from rota.infrastructure.memory.bus import InMemoryEventFeed
from rota.infrastructure.memory.clock import SettableClock
from rota.infrastructure.memory.log import InMemoryCursors


class Log:
    """Events of aggregates that are named by letters: `append("aab")` is two of a and one of b."""

    def __init__(self, step: int = 1) -> None:
        self.entries: list[LogEntry] = []
        self._positions = count(step, step)
        self._subjects = {letter: next_id() for letter in "abcdefgh"}

    def append(self, letters: str) -> None:
        for letter in letters:
            subject = self._subjects[letter]
            seq = 1 + sum(1 for entry in self.entries if entry.subject == subject)
            self.entries.append(
                LogEntry(
                    position=next(self._positions),
                    tenant_id=ACME,
                    id=next_id(),
                    type="run.created",
                    subject=subject,
                    seq=seq,
                    at=NOON,
                    correlation_id=None,
                    traceparent=None,
                    data="{}",
                )
            )

    def told(self, entries: Sequence[LogEntry]) -> str:
        """As in a1 b1 a2."""
        letters = {subject: letter for letter, subject in self._subjects.items()}
        return " ".join(f"{letters[entry.subject]}{entry.seq}" for entry in entries)

    async def after(self, position: int, limit: int) -> Sequence[LogEntry]:
        return [entry for entry in self.entries if entry.position > position][:limit]


class RefusingFeed:
    """Refuses each event as often as it is told, and keeps the cursor's promise in view."""

    def __init__(self, chance: random.Random, refusals: float) -> None:
        self.published: list[LogEntry] = []
        self._chance = chance
        self._refusals = refusals

    async def publish(self, entries: Sequence[LogEntry]) -> int:
        for index, entry in enumerate(entries):
            if self._chance.random() < self._refusals:
                return index
            self.published.append(entry)
        return len(entries)


class Relay:
    def __init__(self) -> None:
        self.log = Log()
        self.feed = InMemoryEventFeed()
        self.cursors = InMemoryCursors()
        self.clock = SettableClock(NOON)
        self.handler = self.another()

    async def __call__(self) -> Relayed:
        return await self.handler(RelayEvents())

    def another(self, at: Checkpoint = pass_by) -> RelayEventsHandler:
        """On the same log, cursor and bus."""
        return RelayEventsHandler(self.log, self.cursors, self.feed, self.clock, at)

    @property
    def published(self) -> str:
        return self.log.told(self.feed.published)

    async def place(self) -> int:
        cursor = await self.cursors.read(RELAY)
        return cursor.position if cursor else 0


@pytest.fixture
async def relay() -> Relay:
    return Relay()


async def test_of_an_empty_log_there_is_nothing_to_tell(relay: Relay) -> None:
    assert await relay() == Relayed()
    assert await relay.cursors.read(RELAY) is None


async def test_each_event_goes_out_once(relay: Relay) -> None:
    relay.log.append("abc")

    assert await relay() == Relayed(found=3, published=3)
    assert await relay() == Relayed()

    assert relay.published == "a1 b1 c1"
    assert await relay.place() == 3


async def test_it_says_how_old_the_latest_is(relay: Relay) -> None:
    relay.log.append("ab")
    relay.clock.advance(7 * SECOND)

    assert (await relay()).age == 7 * SECOND


async def test_what_comes_later_goes_out_later(relay: Relay) -> None:
    relay.log.append("ab")
    await relay()
    relay.log.append("ac")

    await relay()

    assert relay.published == "a1 b1 a2 c1"


async def test_a_long_log_goes_out_in_batches(relay: Relay) -> None:
    relay.log.append("ab" * BATCH)

    batches = [await relay() for _ in range(3)]

    assert [(batch.published, batch.is_backlog) for batch in batches] == [(BATCH, True), (BATCH, True), (0, False)]
    assert len(relay.feed.published) == 2 * BATCH


class TestRounds:
    def test_the_first_of_each_then_the_second_of_each(self) -> None:
        log = Log()
        log.append("aababc")

        assert [log.told(window) for window in windows(log.entries)] == ["a1 b1 c1", "a2 b2", "a3"]

    def test_no_round_holds_two_of_one_aggregate(self) -> None:
        log = Log()
        log.append("".join(random.Random(1).choices("abcdefgh", k=300)))

        for window in windows(log.entries):
            assert len({entry.subject for entry in window}) == len(window)

    def test_each_event_is_in_one_round(self) -> None:
        log = Log()
        log.append("".join(random.Random(2).choices("abc", k=100)))

        assert sorted(entry.position for window in windows(log.entries) for entry in window) == list(range(1, 101))

    async def test_the_second_of_an_aggregate_goes_out_behind_its_first(self, relay: Relay) -> None:
        relay.log.append("aab")

        await relay()

        assert relay.published == "a1 b1 a2"


class TestTheBusRefuses:
    async def test_all_then_nothing_moves(self, relay: Relay) -> None:
        relay.log.append("abc")
        relay.feed.takes = 0

        assert (await relay()).is_refused

        assert await relay.cursors.read(RELAY) is None

    async def test_some_then_the_cursor_stands_at_the_last_before_the_refused_one(self, relay: Relay) -> None:
        relay.log.append("abc")
        relay.feed.takes = 2

        assert await relay() == Relayed(found=3, published=2)

        assert await relay.place() == 2

    async def test_what_was_refused_goes_out_with_the_next_batch(self, relay: Relay) -> None:
        relay.log.append("abc")
        relay.feed.takes = 1
        await relay()
        relay.feed.takes = None

        assert not (await relay()).is_refused

        assert relay.published == "a1 b1 c1"

    @pytest.mark.parametrize("takes", range(7))
    @pytest.mark.parametrize("letters", ["aab", "aaab", "aabb", "aababc", "abcabc", "aaaaaa", "abbbac"])
    async def test_nothing_unpublished_lies_behind_the_cursor(self, relay: Relay, letters: str, takes: int) -> None:
        relay.log.append(letters)
        relay.feed.takes = takes

        await relay()

        published = {entry.position for entry in relay.feed.published}
        behind = [entry for entry in relay.log.entries if entry.position <= await relay.place()]
        assert relay.log.told([entry for entry in behind if entry.position not in published]) == ""

    @pytest.mark.parametrize("seed", range(20))
    async def test_at_any_moment_all_goes_out_in_the_end_and_in_order(self, seed: int) -> None:
        chance = random.Random(seed)
        log, feed, cursors, clock = Log(step=3), RefusingFeed(chance, 0.2), InMemoryCursors(), SettableClock(NOON)
        handler = RelayEventsHandler(log, cursors, feed, clock)
        for _ in range(30):
            log.append("".join(chance.choices("abcd", k=chance.randint(0, 12))))
            await handler(RelayEvents())
            if chance.random() < 0.2:  # another takes over
                handler = RelayEventsHandler(log, cursors, feed, clock)

        for _ in range(1_000):
            if len({entry.id for entry in feed.published}) == len(log.entries):
                break
            await handler(RelayEvents())

        firsts = list({entry.id: entry for entry in feed.published}.values())
        assert {entry.id for entry in firsts} == {entry.id for entry in log.entries}
        for subject in {entry.subject for entry in firsts}:
            seqs = [entry.seq for entry in firsts if entry.subject == subject]
            assert seqs == sorted(seqs)


class TestAnotherTakesOver:
    async def test_it_goes_on_where_the_cursor_stands(self, relay: Relay) -> None:
        relay.log.append("abc")
        await relay()
        relay.log.append("d")

        await relay.another()(RelayEvents())

        assert relay.published == "a1 b1 c1 d1"

    async def test_what_went_out_and_was_not_noted_goes_out_again(self, relay: Relay) -> None:
        def stop(name: str) -> None:
            raise ZeroDivisionError(name)

        relay.log.append("ab")
        with pytest.raises(ZeroDivisionError, match=r"relay.before_move"):
            await relay.another(at=stop)(RelayEvents())

        await relay()

        assert relay.published == "a1 b1 a1 b1"

    async def test_who_comes_back_forgets_its_own_place(self, relay: Relay) -> None:
        relay.log.append("a")
        await relay()
        await relay.cursors.move(RELAY, Cursor(0))
        relay.handler.forget()

        await relay()

        assert relay.published == "a1 a1"
