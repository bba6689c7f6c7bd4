"""Following the event log: a link that is lost is made anew, and nothing is passed over."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import orjson
import pytest

from rota import Rota, RotaError
from rota.entrypoints.sdk import following
from rota.entrypoints.sdk.client import RotaSync
from rota.entrypoints.sdk.errors import UnreachableError
from rota.entrypoints.web_client import WebClient

Answer = Callable[[httpx.Request], httpx.Response]


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "PAUSE_FIRST", 0.0)


def frame(sequence: int) -> bytes:
    event = {
        "specversion": "1.0",
        "id": f"event-{sequence}",
        "source": "rota",
        "type": "scheduler.run.created",
        "subject": "run",
        "time": "2026-01-01T00:00:00Z",
        "datacontenttype": "application/json",
        "tenantid": "acme",
        "sequence": sequence,
        "aggregateseq": 1,
        "correlationid": None,
        "traceparent": None,
        "data": {"state": "QUEUED"},
    }
    return b"id: %d\ndata: %b\n\n" % (sequence, orjson.dumps(event))


class Lost(httpx.AsyncByteStream, httpx.SyncByteStream):
    """A body that breaks off."""

    def __init__(self, *chunks: bytes) -> None:
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        yield from self._chunks
        raise httpx.ReadError("the link was lost")

    async def __aiter__(self):  # type: ignore[no-untyped-def]  # an async generator of bytes
        for chunk in self:
            yield chunk


class Server:
    """Answers one after the other; `asked` is what it was asked."""

    def __init__(self, *answers: httpx.Response | httpx.TransportError) -> None:
        self._answers = list(answers)
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self._answers.pop(0)
        if isinstance(answer, httpx.TransportError):
            raise answer
        return answer


def stream(*chunks: bytes) -> httpx.Response:
    return httpx.Response(200, stream=Lost(*chunks))


async def first(server: Server, count: int, **wanted: object) -> list[int]:
    async with Rota("http://rota", "token") as api:
        await api.close()
        api._http = WebClient(base_url="http://rota/api/v1", transport=httpx.MockTransport(server))
        found: list[int] = []
        async for event in api.follow_events(**wanted):  # type: ignore[arg-type]
            found.append(event.sequence)
            if len(found) == count:
                break
        return found


def first_sync(server: Server, count: int) -> list[int]:
    with RotaSync("http://rota", "token") as api:
        api.close()
        api._http = httpx.Client(base_url="http://rota/api/v1", transport=httpx.MockTransport(server))
        return [event.sequence for _, event in zip(range(count), api.follow_events(), strict=False)]


async def test_events_are_told_as_they_come_whatever_the_chunks() -> None:
    text = b"retry: 2000\nid: 3\n\n: heartbeat\n\n" + frame(4) + frame(5)

    assert await first(Server(stream(text[:60], text[60:200], text[200:])), 2) == [4, 5]


async def test_it_says_what_it_wants() -> None:
    server = Server(stream(frame(4)))

    await first(server, 1, after=3, type="scheduler.run.*", subject="run")

    assert dict(server.asked[0].url.params) == {"after": "3", "type": "scheduler.run.*", "subject": "run"}
    assert "last-event-id" not in server.asked[0].headers


async def test_after_a_loss_it_goes_on_behind_the_last_event() -> None:
    server = Server(
        stream(b"id: 3\n\n" + frame(4) + frame(5)[:30]),
        httpx.ConnectError("away"),
        httpx.Response(503),
        stream(frame(5)),
    )

    assert await first(server, 2) == [4, 5]
    assert [request.headers.get("last-event-id") for request in server.asked] == [None, "4", "4", "4"]


async def test_where_nothing_was_heard_it_goes_on_where_it_began() -> None:
    server = Server(stream(b"retry: 2000\nid: 3\n\n"), stream(frame(4)))

    assert await first(server, 1) == [4]
    assert server.asked[1].headers["last-event-id"] == "3"


async def test_a_server_that_was_never_reached_is_told() -> None:
    with pytest.raises(UnreachableError):
        await first(Server(httpx.ConnectError("away")), 1)


async def test_what_is_refused_is_told() -> None:
    problem = {"type": "urn:rota:error:unauthenticated", "title": "Unauthenticated", "status": 401, "detail": "no"}

    with pytest.raises(RotaError):
        await first(Server(httpx.Response(401, json=problem)), 1)


def test_the_twin_does_the_same() -> None:
    server = Server(stream(frame(4)), httpx.ConnectError("away"), stream(frame(5)))

    assert first_sync(server, 2) == [4, 5]
    assert server.asked[2].headers["last-event-id"] == "4"
