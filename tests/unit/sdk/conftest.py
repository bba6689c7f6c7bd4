"""A bus of the tests' own: it keeps what is sent and says what it is told to say."""

import json
from collections.abc import Iterator
from typing import Any, cast

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from rota.entrypoints.sdk.bus import NoAnswerError, Receive
from rota.entrypoints.sdk.work import Attempt, WorkItem


def a_message(subject: str = "s", data: bytes = b"", reply: str = "", **headers: str) -> Msg:
    return Msg(cast(Client, None), subject=subject, reply=reply, data=data, headers=headers or None)


def an_attempt(run_id: str = "r1", attempt: int = 1, job: str = "greet", **body: Any) -> Attempt:
    return Attempt(WorkItem(run_id, attempt, job, body), job, reply=f"ack.{run_id}", since=0.0, touched=0.0)


class FakeBus:
    """Up until told otherwise. Answers to `ask` are queued by subject."""

    inbox = "_INBOX.worker.w1"
    batch_limit = 100_000

    def __init__(self) -> None:
        self.is_up = True
        self.sent: list[tuple[str, bytes, str, dict[str, str] | None]] = []
        self.listeners: dict[str, Receive] = {}
        self.answers: dict[str, list[bytes]] = {}
        self.asked: list[tuple[str, bytes]] = []

    async def listen(self, subject: str, receive: Receive) -> None:
        self.listeners[subject] = receive

    async def send(
        self, subject: str, data: bytes = b"", reply: str = "", headers: dict[str, str] | None = None
    ) -> bool:
        if self.is_up:
            self.sent.append((subject, data, reply, headers))
        return self.is_up

    async def ask(self, subject: str, data: bytes, wait: float) -> bytes:
        self.asked.append((subject, data))
        if not self.is_up or not self.answers.get(subject):
            raise NoAnswerError(subject)
        return self.answers[subject].pop(0)

    def sent_to(self, prefix: str) -> list[bytes]:
        return [data for subject, data, _, _ in self.sent if subject.startswith(prefix)]

    def reported(self) -> list[list[dict[str, Any]]]:
        """The report messages, in order, as lists of reports."""
        return [json.loads(data) for data in self.sent_to("scheduler.report.")]

    async def acknowledge(self, number: int = -1, seq: int = 1) -> None:
        """Says that the report message sent as `number` is stored."""
        replies = [reply for subject, _, reply, _ in self.sent if subject.startswith("scheduler.report.")]
        ack = json.dumps({"stream": "ROTA_REPORTS", "seq": seq}).encode()
        await self.listeners[f"{self.inbox}.stored.*"](a_message(replies[number], ack))


@pytest.fixture
def bus() -> Iterator[FakeBus]:
    yield FakeBus()
