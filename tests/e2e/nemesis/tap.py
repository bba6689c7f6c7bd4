"""Hears every report and every work message as it passes the bus, and can say it again."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from uuid import UUID

import nats
import orjson
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

REPORTS, WORK = "scheduler.report.*", "scheduler.work.>"
MSG_ID = "Nats-Msg-Id"
KEPT = 50_000
"""Messages remembered of each sort: the oldest go first, one in two, so that some stay old."""


@dataclass(frozen=True, slots=True)
class Said:
    subject: str
    body: bytes
    id: str


class Tap:
    """Listens beside the streams, straight at the server: what it misses while it has no connection, it misses.

    `started` is when the start of an attempt was first reported, by the nemesis's own clock.
    """

    def __init__(self, url: Callable[[], str]) -> None:
        self.reports: list[Said] = []
        self.work: list[Said] = []
        self.started: dict[tuple[UUID, int], datetime] = {}
        self.echo: Callable[[Said], bool] = lambda _: False
        """Which messages are said again as soon as they are heard."""
        self._url = url
        self._client = Client()
        self._numbers = count(1)

    async def open(self) -> None:
        self._client = await nats.connect(
            self._url(), max_reconnect_attempts=-1, reconnect_time_wait=0.2, error_cb=_unheard, ping_interval=2
        )
        await self._client.subscribe(REPORTS, cb=self._hear_report)
        await self._client.subscribe(WORK, cb=self._hear_work)

    async def close(self) -> None:
        with suppress(NatsError, OSError, TimeoutError):
            await self._client.close()

    async def say(self, subject: str, body: bytes, headers: dict[str, str] | None = None) -> bool:
        """Whether it went out. Nobody but the bus hears it as it was said: each saying has an id of its own."""
        if not self._client.is_connected:
            return False
        with suppress(NatsError, OSError, TimeoutError):
            await self._client.publish(subject, body, headers=headers or {})
            await self._client.flush(2)
            return True
        return False

    async def store(self, subject: str, body: bytes, headers: Mapping[str, str]) -> bool:
        """Whether a stream has acknowledged it; if not, nobody knows."""
        with suppress(NatsError, OSError, TimeoutError):
            await self._client.jetstream(timeout=3).publish(subject, body, headers=dict(headers) or None)
            return True
        return False

    async def say_again(self, said: Said) -> bool:
        """Under another id, so that the bus does not know it for a copy."""
        return await self.say(said.subject, said.body, {MSG_ID: f"{said.id}:again-{next(self._numbers)}"})

    def sample(self, heard: Sequence[Said], size: int, chance: random.Random) -> list[Said]:
        """Old and new ones, in any order."""
        return chance.sample(heard, min(size, len(heard)))

    async def _hear_report(self, message: Msg) -> None:
        said = _said(message)
        if said is None:
            return
        _keep(self.reports, said)
        self._note_starts(said)
        await self._echo(said)

    async def _hear_work(self, message: Msg) -> None:
        said = _said(message)
        if said is not None:
            _keep(self.work, said)
            await self._echo(said)

    async def _echo(self, said: Said) -> None:
        if self.echo(said):
            await self.say_again(said)

    def _note_starts(self, said: Said) -> None:
        now = datetime.now(UTC)
        with suppress(ValueError, TypeError, KeyError, AttributeError):
            for report in orjson.loads(said.body):
                if report["kind"] == "STARTED":
                    self.started.setdefault((UUID(report["runId"]), report["attempt"]), now)


def _said(message: Msg) -> Said | None:
    """None for what the nemesis itself has said."""
    told = (message.headers or {}).get(MSG_ID, "")
    return None if not told or ":again-" in told else Said(message.subject, message.data, told)


def _keep(heard: list[Said], said: Said) -> None:
    heard.append(said)
    if len(heard) > KEPT:
        del heard[: KEPT // 2 : 2]


async def _unheard(_: Exception) -> None:
    """The bus is meant to be away now and then."""
