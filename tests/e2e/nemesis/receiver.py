"""Somebody else's HTTP endpoints, in a process of their own that no fault strikes: `python receiver.py DIRECTORY`.

Each way to behave has a port of its own, as receivers are told apart by host and port. Every request is in the journal,
synced, before it is answered. Those that misbehave do so for the first delivery of each message, and take the second.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

import orjson
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

SECRET = "whsec_bmVtZXNpcyBvZiB0aGUgc2NoZWR1bGVyIG9mIHJvdGE="
JOURNAL, PORTS = "requests.jsonl", "receiver.json"
LARGE = b"x" * 10_000_000
HANGS = 60.0
"""Seconds; whoever waits so long has no time limit."""

Answer: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def good(_: web.Request) -> web.Response:
    return web.Response(text="thanks")


async def error(_: web.Request) -> web.Response:
    return web.Response(status=500, text="not now")


async def busy(_: web.Request) -> web.Response:
    return web.Response(status=429, headers={"Retry-After": "1"})


async def gone(_: web.Request) -> web.Response:
    return web.Response(status=410, text="no more")


async def hang(_: web.Request) -> web.Response:
    await asyncio.sleep(HANGS)
    return web.Response(text="at last")


async def reset(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def large(_: web.Request) -> web.Response:
    return web.Response(body=LARGE)


FIRST: Mapping[str, Answer] = {"error": error, "busy": busy, "hang": hang, "reset": reset}
"""What becomes of the first delivery of each message."""
ALWAYS: Mapping[str, Answer] = {"good": good, "gone": gone, "large": large}


class Receiver:
    """One way to behave. `journal` is an open file."""

    def __init__(self, name: str, journal: int) -> None:
        self._name = name
        self._journal = journal
        self._hook = Webhook(SECRET)
        self._seen: set[str] = set()

    async def take(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        message = request.headers.get("webhook-id", "")
        is_first = message not in self._seen
        self._seen.add(message)
        self._note(message, is_signed=self._is_signed(body, request.headers))
        answer = FIRST.get(self._name, good) if is_first else good
        return await ALWAYS.get(self._name, answer)(request)

    def _is_signed(self, body: bytes, headers: Mapping[str, str]) -> bool:
        try:
            self._hook.verify(body, {name.lower(): value for name, value in headers.items()})
        except WebhookVerificationError:
            return False
        return True

    def _note(self, message: str, *, is_signed: bool) -> None:
        line = {"id": message, "receiver": self._name, "at": datetime.now(UTC), "signed": is_signed}
        os.write(self._journal, orjson.dumps(line) + b"\n")
        os.fdatasync(self._journal)


async def serve(directory: Path) -> None:
    """Until killed. Says in a file where it listens, once it does."""
    journal = os.open(directory / JOURNAL, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    ports = {name: await _listen(Receiver(name, journal)) for name in (*ALWAYS, *FIRST)}
    said = directory / f"{PORTS}.new"
    said.write_bytes(orjson.dumps(ports))
    said.rename(directory / PORTS)
    await asyncio.Event().wait()


async def _listen(receiver: Receiver) -> int:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return int(runner.addresses[0][1])


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
