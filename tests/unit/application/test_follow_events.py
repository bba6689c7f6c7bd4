"""Followers of the event log: each hears all it wants, in order and once, and none holds up another."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import pytest
from tests.support.builders import ACME, GLOBEX, NOON, a_job_definition, next_id
from tests.support.stored import store

from rota.application import follow_events
from rota.application.follow_events import Follower, Followers
from rota.application.ports.log import EventFilter, LogEntry, Stretch
from rota.domain.errors import UnavailableError
from rota.domain.ids import JobId, TenantId
from rota.domain.job import Job
from rota.infrastructure.memory.log import InMemoryLog
from rota.infrastructure.memory.store import InMemoryBegin
from rota.infrastructure.memory.tables import InMemoryStore

ALL = EventFilter()
JOBS = EventFilter(aggregate="job", event="created")
SOON = 0.01


class CountedLog(InMemoryLog):
    """`looks` and `pages` count what it was asked; `is_away` is for a test to turn."""

    looks = 0
    pages = 0
    is_away = False

    async def after(self, position: int, limit: int) -> Sequence[LogEntry]:
        self.looks += 1
        return await super().after(position, limit)

    async def stretch(self, tenant_id: TenantId, wanted: EventFilter, after: int, limit: int) -> Stretch:
        self.pages += 1
        if self.is_away:
            raise UnavailableError("the database does not answer")
        return await super().stretch(tenant_id, wanted, after, limit)


@pytest.fixture
def memory() -> InMemoryStore:
    return InMemoryStore()


@pytest.fixture
def log(memory: InMemoryStore) -> CountedLog:
    return CountedLog(memory)


@pytest.fixture
def followers(log: CountedLog) -> Followers:
    return Followers(log, log, pause=0)


@pytest.fixture
def follower(followers: Followers) -> Iterator[Follower]:
    with followers.joined(ACME, ALL, 0) as follower:
        yield follower


async def happen(memory: InMemoryStore, *names: str, tenant_id: TenantId = ACME) -> None:
    for name in names:
        job = Job.create(tenant_id, JobId(next_id()), a_job_definition(name), now=NOON)
        await store(InMemoryBegin(memory), job)


async def heard(follower: Follower) -> list[int]:
    return [entry.position for entry in await follower.next(SOON) or ()]


async def test_it_hears_what_was_and_then_what_comes(
    memory: InMemoryStore, followers: Followers, follower: Follower
) -> None:
    await happen(memory, "a", "b")
    assert await heard(follower) == [1, 2]

    await happen(memory, "c")
    await followers.step()

    assert await heard(follower) == [3]
    assert await heard(follower) == []


async def test_who_begins_beyond_the_end_takes_nobody_with_it(
    memory: InMemoryStore, log: CountedLog, followers: Followers, follower: Follower
) -> None:
    await happen(memory, "a")
    with followers.joined(GLOBEX, ALL, 2**53 - 1) as early:
        assert await heard(early) == []

        assert await heard(follower) == [1]
        assert await heard(follower) == []
        assert log.pages <= 4

        await happen(memory, "b")
        await followers.step()
        assert await heard(follower) == [2]


async def test_who_comes_after_the_newest_events_were_removed_asks_now_and_then(
    memory: InMemoryStore, log: CountedLog, followers: Followers, follower: Follower
) -> None:
    await happen(memory, "a", "b")
    assert await heard(follower) == [1, 2]
    memory.tables.events.pop()
    memory.tables.last_position = 1

    with followers.joined(ACME, ALL, 1) as late:
        asked = log.pages
        assert await heard(late) == []

    assert log.pages - asked <= 2


async def test_what_happens_between_its_last_page_and_the_common_look_is_heard_once(
    memory: InMemoryStore, followers: Followers, follower: Follower
) -> None:
    await happen(memory, "a")
    with followers.joined(ACME, ALL, 0) as other:
        await heard(follower)
        await happen(memory, "b")
        assert await heard(other) == [1, 2]
        await happen(memory, "c")
        await followers.step()

        assert (await heard(follower), await heard(other)) == ([2, 3], [3])


async def test_all_who_are_abreast_share_one_look(
    memory: InMemoryStore, log: CountedLog, followers: Followers, follower: Follower
) -> None:
    with followers.joined(ACME, ALL, 0) as second, followers.joined(GLOBEX, ALL, 0) as third:
        for each in (follower, second, third):
            await heard(each)
        log.looks = log.pages = 0
        await happen(memory, "a")
        await happen(memory, "b", tenant_id=GLOBEX)

        await followers.step()

        assert [await heard(each) for each in (follower, second, third)] == [[1], [1], [2]]
        assert (log.looks, log.pages) == (1, 0)


async def test_nobody_is_told_what_it_did_not_ask_for(memory: InMemoryStore, followers: Followers) -> None:
    with followers.joined(ACME, EventFilter(aggregate="run"), 0) as follower:
        await heard(follower)
        await happen(memory, "a")

        await followers.step()

        assert await heard(follower) == []


async def test_one_that_reads_slowly_catches_up_by_itself_and_hears_all(
    memory: InMemoryStore, followers: Followers, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow_events, "BUFFER", 3)
    monkeypatch.setattr(follow_events, "PAGE", 4)
    with followers.joined(ACME, ALL, 0) as quick:
        await heard(follower)
        await heard(quick)
        told: list[int] = []
        for name in "abcdefgh":
            await happen(memory, name)
            await followers.step()
            told += await heard(quick)
        assert told == list(range(1, 9))

        assert await heard(follower) == [1, 2, 3, 4]
        assert await heard(follower) == [5, 6, 7, 8]
        await happen(memory, "i")
        await followers.step()
        assert await heard(follower) == [9]


async def test_a_wait_ends_with_what_comes(memory: InMemoryStore, followers: Followers, follower: Follower) -> None:
    await heard(follower)
    waiting = asyncio.create_task(follower.next(60))
    await asyncio.sleep(0)

    await happen(memory, "a")
    await followers.step()

    assert [entry.position for entry in await waiting or ()] == [1]


async def test_who_has_left_is_told_nothing_more_and_then_nobody_looks(
    memory: InMemoryStore, log: CountedLog, followers: Followers
) -> None:
    with followers.joined(ACME, ALL, 0) as follower:
        await heard(follower)
    assert len(followers) == 0

    await followers.step()

    assert log.looks == 0


async def test_the_end_of_the_process_is_the_end_of_every_wait(followers: Followers, follower: Follower) -> None:
    await heard(follower)
    waiting = asyncio.create_task(follower.next(60))
    await asyncio.sleep(0)

    followers.end()

    assert await waiting is None
    with pytest.raises(UnavailableError), followers.joined(ACME, ALL, 0):
        pass


async def test_it_takes_only_so_many(followers: Followers, follower: Follower, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow_events, "MOST_FOLLOWERS", 1)

    with pytest.raises(UnavailableError), followers.joined(ACME, ALL, 0):
        pass


async def test_no_tenant_takes_all_the_places(
    followers: Followers, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow_events, "MOST_OF_ONE", 1)

    with pytest.raises(UnavailableError), followers.joined(ACME, ALL, 0):
        pass
    with followers.joined(GLOBEX, ALL, 0):
        assert len(followers) == 2


async def test_while_the_log_is_away_it_waits(
    memory: InMemoryStore, log: CountedLog, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow_events, "AWAY_PAUSE", 0)
    await happen(memory, "a")
    log.is_away = True
    assert await heard(follower) == []

    log.is_away = False

    assert await heard(follower) == [1]
