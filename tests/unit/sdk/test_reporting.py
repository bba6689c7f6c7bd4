"""Reports are collected, sent as lists, and sent again unchanged until the bus has them."""

import asyncio
import json
from time import monotonic

import pytest
from tests.unit.sdk.conftest import FakeBus, a_message, an_attempt

from rota.entrypoints.sdk.reporting import STORE_WAIT, Entry, Reports, split


class Office:
    """Reports on a fake bus, and what became of them."""

    def __init__(self, bus: FakeBus) -> None:
        self.stored: list[str] = []
        self.woken = asyncio.Event()
        self.reports = Reports(bus, "scheduler.report.acme", self._keep, self.woken.set)

    def _keep(self, entries: list[Entry]) -> None:
        self.stored += [f"{entry.attempt.item.run_id} {entry.kind}" for entry in entries]


@pytest.fixture
async def office(bus: FakeBus) -> Office:
    office = Office(bus)
    await office.reports.open()
    return office


def a_start(run_id: str) -> Entry:
    return Entry(an_attempt(run_id), "STARTED", json.dumps({"runId": run_id, "kind": "STARTED"}).encode())


def a_success(run_id: str) -> Entry:
    return Entry(an_attempt(run_id), "SUCCEEDED", json.dumps({"runId": run_id, "kind": "SUCCEEDED"}).encode())


def ids(bus: FakeBus) -> list[str]:
    return [headers["Nats-Msg-Id"] for _, _, _, headers in bus.sent if headers]


async def test_started_reports_go_at_once_and_take_along_what_waits(bus: FakeBus, office: Office) -> None:
    office.reports.add(a_success("r1"))
    await office.reports.flush()
    assert bus.sent == []

    office.reports.start([a_start("r2"), a_start("r3")])
    await office.reports.flush()

    [message] = bus.reported()
    assert [report["runId"] for report in message] == ["r1", "r2", "r3"]


async def test_final_reports_wait_a_moment_for_company(bus: FakeBus, office: Office) -> None:
    office.reports.add(a_success("r1"))
    office.reports.add(a_success("r2"))

    await asyncio.wait_for(office.woken.wait(), 5)
    await office.reports.flush()

    assert [len(message) for message in bus.reported()] == [2]


async def test_what_the_bus_has_stored_is_told_once(bus: FakeBus, office: Office) -> None:
    office.reports.start([a_start("r1"), a_start("r2")])
    await office.reports.flush()
    assert office.stored == []

    await bus.acknowledge(seq=4)
    await bus.acknowledge(seq=4)

    assert office.stored == ["r1 STARTED", "r2 STARTED"]
    assert office.woken.is_set()


async def test_a_batch_without_an_answer_is_sent_again_the_same_and_with_the_same_id(
    bus: FakeBus, office: Office
) -> None:
    office.reports.start([a_start("r1")])
    await office.reports.flush()
    sent = monotonic()

    await office.reports.send_again(sent)
    assert len(bus.sent) == 1
    await office.reports.send_again(sent + STORE_WAIT)

    first, second = bus.reported()
    assert first == second
    assert len(set(ids(bus))) == 1


async def test_batches_have_different_ids(bus: FakeBus, office: Office) -> None:
    for run_id in ("r1", "r2"):
        office.reports.start([a_start(run_id)])
        await office.reports.flush()

    assert len(set(ids(bus))) == 2


async def test_after_a_reconnect_everything_unanswered_is_sent_again_in_order(bus: FakeBus, office: Office) -> None:
    for run_id in ("r1", "r2", "r3"):
        office.reports.start([a_start(run_id)])
        await office.reports.flush()
    await bus.acknowledge(1)
    bus.sent.clear()

    office.reports.reconnected()
    await office.reports.send_again(monotonic())

    assert [message[0]["runId"] for message in bus.reported()] == ["r1", "r3"]
    assert office.reports.place.is_in_doubt


async def test_what_could_not_be_sent_is_not_lost(bus: FakeBus, office: Office) -> None:
    bus.is_up = False
    office.reports.start([a_start("r1")])
    await office.reports.flush()
    assert bus.sent == []

    bus.is_up = True
    office.reports.reconnected()
    await office.reports.send_again(monotonic())
    await bus.acknowledge()

    assert office.stored == ["r1 STARTED"]


@pytest.mark.parametrize(
    "answer", [b"", b"\xff", b"[]", b'{"error": {"code": 503, "description": "insufficient resources"}}']
)
async def test_a_refused_batch_is_kept_and_tried_again(bus: FakeBus, office: Office, answer: bytes) -> None:
    office.reports.start([a_start("r1")])
    await office.reports.flush()
    reply = bus.sent[0][2]

    await bus.listeners[f"{bus.inbox}.stored.*"](a_message(reply, answer, Status="503"))
    await office.reports.send_again(monotonic() + 0.2)

    assert office.stored == []
    assert len(bus.reported()) == 2


async def test_starts_under_way_are_counted_by_message(bus: FakeBus, office: Office) -> None:
    office.reports.start([a_start("r1"), a_start("r2")])
    await office.reports.flush()
    assert office.reports.starts_out == 1

    await bus.acknowledge()
    assert office.reports.starts_out == 0


def test_a_message_of_reports_stays_below_the_limit() -> None:
    entries = [Entry(an_attempt(f"r{n}"), "SUCCEEDED", b"x" * size) for n, size in enumerate([40, 40, 90, 10, 10, 10])]

    groups = list(split(entries, 100))

    assert [[len(entry.body) for entry in group] for group in groups] == [[40, 40], [90], [10, 10, 10]]


def test_nothing_is_no_message() -> None:
    assert list(split([], 100)) == []
