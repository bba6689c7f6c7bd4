"""/events: the event log, read by sequence, and followed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest
from tests.unit.http.conftest import Served, errors

from rota.entrypoints.http import events

Json = dict[str, Any]  # Any: JSON
UNKNOWN = UUID(int=7)


@pytest.fixture
async def happened(acme: httpx.AsyncClient, globex: httpx.AsyncClient) -> list[Json]:
    """Acme makes two jobs and changes the first; globex makes one in between."""
    first = (await acme.post("/jobs", json={"name": "a"})).json()
    await globex.post("/jobs", json={"name": "theirs"})
    await acme.post("/jobs", json={"name": "b"})
    await acme.patch(f"/jobs/{first['id']}", json={"queue": "mail"})
    return [first]


async def types(client: httpx.AsyncClient, **query: object) -> list[str]:
    return [item["type"] for item in (await client.get("/events", params=query)).json()["items"]]  # type: ignore[arg-type]


class TestReading:
    async def test_a_tenant_reads_its_own_events_the_oldest_first(
        self, acme: httpx.AsyncClient, globex: httpx.AsyncClient, happened: list[Json]
    ) -> None:
        answer = (await acme.get("/events")).json()

        assert [item["type"] for item in answer["items"]] == [
            "scheduler.job.created",
            "scheduler.job.created",
            "scheduler.job.updated",
        ]
        assert [item["sequence"] for item in answer["items"]] == [1, 3, 4]
        assert (answer["nextCursor"], answer["lastSequence"]) == (None, 4)
        assert [item["data"]["name"] for item in (await globex.get("/events")).json()["items"]] == ["theirs"]

    async def test_an_item_is_the_event_as_it_is_on_the_bus(
        self, served: Served, acme: httpx.AsyncClient, happened: list[Json]
    ) -> None:
        from rota.infrastructure.nats.event_feed import event_message

        answer = await acme.get("/events", params={"limit": 1})

        on_the_bus = event_message(served.store.tables.events[0]).body
        assert orjson.loads(answer.content)["items"] == [orjson.loads(on_the_bus)]

    async def test_a_page_is_gone_on_from_by_cursor_or_by_sequence(
        self, acme: httpx.AsyncClient, happened: list[Json]
    ) -> None:
        first = (await acme.get("/events", params={"limit": 2})).json()
        by_cursor = (await acme.get("/events", params={"cursor": first["nextCursor"]})).json()
        by_sequence = (await acme.get("/events", params={"after": first["lastSequence"]})).json()

        assert [item["sequence"] for item in first["items"]] == [1, 3]
        assert by_cursor == by_sequence
        assert [item["sequence"] for item in by_cursor["items"]] == [4]

    async def test_a_type_is_one_event_or_all_of_an_aggregate(
        self, acme: httpx.AsyncClient, happened: list[Json]
    ) -> None:
        assert await types(acme, type="scheduler.job.updated") == ["scheduler.job.updated"]
        assert len(await types(acme, type="scheduler.job.*")) == 3
        assert await types(acme, type="scheduler.run.*") == []

    async def test_a_subject_is_one_aggregate(self, acme: httpx.AsyncClient, happened: list[Json]) -> None:
        assert await types(acme, subject=happened[0]["id"]) == ["scheduler.job.created", "scheduler.job.updated"]
        assert await types(acme, subject=UNKNOWN) == []

    async def test_nothing_beyond_the_end_is_an_empty_page_that_keeps_the_place(self, acme: httpx.AsyncClient) -> None:
        answer = (await acme.get("/events", params={"after": 99})).json()

        assert answer == {"items": [], "nextCursor": None, "lastSequence": 99}

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ({"after": "-1"}, "after"),
            ({"after": "x"}, "after"),
            ({"type": "run.*.acme"}, "type"),
            ({"type": "scheduler.tenant.created"}, "type"),
            ({"subject": "x"}, "subject"),
            ({"limit": "201"}, "limit"),
            ({"cursor": "bm8"}, "cursor"),
            ({"cursor": "MQ", "after": "1"}, "cursor"),
            ({"since": "1"}, "since"),
        ],
    )
    async def test_what_cannot_be_asked_is_refused_by_name(
        self, acme: httpx.AsyncClient, query: dict[str, str], field: str
    ) -> None:
        answer = await acme.get("/events", params=query)

        assert (answer.status_code, list(errors(answer))) == (422, [field])


class Stream:
    """A stream's chunks as they come over ASGI: httpx's own transport waits for the end of the body."""

    def __init__(self, chunks: asyncio.Queue[bytes]) -> None:
        self._chunks = chunks
        self._text = b""

    async def frame(self) -> str:
        async with asyncio.timeout(5):
            while b"\n\n" not in self._text:
                self._text += await self._chunks.get()
        frame, _, self._text = self._text.partition(b"\n\n")
        return frame.decode()

    async def event(self) -> Json:
        fields = dict(line.split(": ", 1) for line in (await self.frame()).splitlines())
        event: Json = orjson.loads(fields["data"])
        assert fields["id"] == str(event["sequence"])
        return event


@asynccontextmanager
async def following(served: Served, query: str = "", *, tenant: str = "acme", **headers: str) -> AsyncIterator[Stream]:
    """A client that follows, and a process in which somebody looks for more."""
    chunks: asyncio.Queue[bytes] = asyncio.Queue()
    given = {"authorization": f"Bearer {tenant}:read"} | headers
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/api/v1/events/stream",
        "raw_path": b"/api/v1/events/stream",
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        "client": ("127.0.0.1", 1),
        "server": ("rota", 80),
    }
    gone = asyncio.Event()

    async def receive() -> Json:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Json) -> None:
        if message["type"] == "http.response.body":
            chunks.put_nowait(message["body"])

    async def look() -> None:
        while True:
            await served.services.followers.step()

    looking = asyncio.create_task(look())
    answering = asyncio.create_task(served.app(scope, receive, send))
    try:
        yield Stream(chunks)
    finally:
        gone.set()
        async with asyncio.timeout(5):
            await answering
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        assert len(served.services.followers) == 0


class TestFollowing:
    async def test_a_stream_begins_now_and_says_where_that_is(
        self, served: Served, acme: httpx.AsyncClient, happened: list[Json]
    ) -> None:
        async with following(served) as stream:
            assert await stream.frame() == "retry: 2000\nid: 4"

            await acme.post("/jobs", json={"name": "c"})

            assert ((event := await stream.event())["sequence"], event["data"]["name"]) == (5, "c")

    async def test_it_resumes_behind_the_last_event_that_was_heard(
        self, served: Served, acme: httpx.AsyncClient, happened: list[Json]
    ) -> None:
        async with following(served, "after=0", **{"last-event-id": "1"}) as stream:
            assert await stream.frame() == "retry: 2000\nid: 1"
            assert [(await stream.event())["sequence"], (await stream.event())["sequence"]] == [3, 4]

    async def test_an_event_is_what_the_list_shows(
        self, served: Served, acme: httpx.AsyncClient, happened: list[Json]
    ) -> None:
        (listed,) = (await acme.get("/events", params={"limit": 1})).json()["items"]

        async with following(served, "after=0") as stream:
            await stream.frame()
            assert await stream.event() == listed

    async def test_no_sign_in_a_text_ends_a_line(self, served: Served, acme: httpx.AsyncClient) -> None:
        """Clients that split as `str.splitlines` does would lose the rest."""
        text = "one\u2028two\u2029three\x85four\\u2028"
        await acme.post("/calendars", json={"name": "c", "description": text})

        async with following(served, "after=0") as stream:
            await stream.frame()
            assert (await stream.event())["data"]["description"] == text

    async def test_the_filters_are_the_lists(
        self, served: Served, acme: httpx.AsyncClient, happened: list[Json]
    ) -> None:
        async with following(served, f"after=0&type=scheduler.job.updated&subject={happened[0]['id']}") as stream:
            await stream.frame()
            assert (await stream.event())["sequence"] == 4

    async def test_another_tenant_hears_only_its_own(
        self, served: Served, acme: httpx.AsyncClient, globex: httpx.AsyncClient, happened: list[Json]
    ) -> None:
        async with following(served, "after=0", tenant="globex") as stream:
            await stream.frame()
            assert (await stream.event())["data"]["name"] == "theirs"

            await acme.post("/jobs", json={"name": "c"})
            await globex.post("/jobs", json={"name": "d"})

            assert (await stream.event())["data"]["name"] == "d"

    async def test_silence_is_broken_by_comments(self, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(events, "SILENCE", 0.01)
        async with following(served) as stream:
            await stream.frame()

            assert await stream.frame() == ": heartbeat"

    async def test_it_ends_with_the_process(self, served: Served) -> None:
        async with following(served) as stream:
            await stream.frame()
            served.services.followers.end()

            async with asyncio.timeout(5):
                while await stream._chunks.get() != b"":
                    pass

    async def test_a_process_that_ends_takes_no_followers(self, served: Served, acme: httpx.AsyncClient) -> None:
        served.services.followers.end()

        answer = await acme.get("/events/stream")

        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")

    @pytest.mark.parametrize("said", ["x", "-1", "1.5", "9" * 19])
    async def test_an_id_that_is_none_is_refused_by_name(self, acme: httpx.AsyncClient, said: str) -> None:
        answer = await acme.get("/events/stream", headers={"Last-Event-ID": said})

        assert (answer.status_code, list(errors(answer))) == (400, ["Last-Event-ID"])
