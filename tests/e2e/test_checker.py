"""The checker is green on a history that is right, and red, with the right name, on one with a single bug in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import asyncpg
import nats
import pytest
from nats.js import JetStreamContext
from nats.js.api import RetentionPolicy
from nats.js.errors import NotFoundError
from tests.e2e.checker.figures import figures
from tests.e2e.checker.journals import read_journals
from tests.e2e.checker.judge import judge, lives_of
from tests.e2e.checker.streams import EVENTS, REPORTS, TOPICS, WORK, read_streams
from tests.e2e.plants import firing, living, recording, running
from tests.e2e.story import Story
from tests.e2e.story_rows import TENANT
from tests.e2e.told import Plant, a_right_story, planted
from tests.e2e.written import written

from rota.infrastructure.postgres.schema import migrate

PLANTED = [each for module in (firing, running, living, recording) for each in planted(module)]


@pytest.fixture(scope="module")
def schema_url(database_url: str) -> str:
    migrate(database_url)
    return database_url


@pytest.fixture
async def connection(schema_url: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """Everything that is done on it is undone."""
    connection = await asyncpg.connect(schema_url, ssl=False)
    transaction = connection.transaction()
    await transaction.start()
    yield connection
    await transaction.rollback()
    await connection.close()


async def test_it_is_green_on_a_right_history(connection: asyncpg.Connection[asyncpg.Record], tmp_path: Path) -> None:
    told = a_right_story(tmp_path)

    history = await written(told.story, connection)

    assert judge(history) == []


@pytest.mark.parametrize(
    ("invariants", "plant"), PLANTED, ids=[f"{plant.__name__}-{'-'.join(sorted(names))}" for names, plant in PLANTED]
)
async def test_it_is_red_on(
    invariants: set[str], plant: Plant, connection: asyncpg.Connection[asyncpg.Record], tmp_path: Path
) -> None:
    told = a_right_story(tmp_path)
    plant(told)

    history = await written(told.story, connection)

    assert {finding.invariant for finding in judge(history)} == invariants, "\n".join(map(str, judge(history)))


async def test_epochs_are_not_judged_without_an_election(
    connection: asyncpg.Connection[asyncpg.Record], tmp_path: Path
) -> None:
    told = a_right_story(tmp_path)
    firing.a_fire_under_an_epoch_that_nobody_held(told)
    told.story.elected = False

    history = await written(told.story, connection)

    assert judge(history) == []


async def test_an_empty_database_is_no_pass(connection: asyncpg.Connection[asyncpg.Record], tmp_path: Path) -> None:
    story = Story(tmp_path)

    history = await written(story, connection)

    assert {finding.subject for finding in judge(history)} >= {"due times", "faults"}


async def test_the_figures_tell_due_matched_missed_and_late(
    connection: asyncpg.Connection[asyncpg.Record], tmp_path: Path
) -> None:
    told = a_right_story(tmp_path)
    history = await written(told.story, connection)

    found = figures(history, lives_of(history))

    runs = sum(
        row["cause"] == "SCHEDULE" and row["schedule_id"] != told.life.delayed.id for row in told.story.tables["runs"]
    )
    assert found.matched == runs
    assert found.due_times == runs + 6
    assert found.missed == {"FIRE_ONCE": 5, "FIRE_ALL": 1}
    assert found.extra == 0
    assert found.quiet.max < 0.5
    assert found.in_faults.max > 2
    assert [recovery.gap > 1 for recovery in found.recoveries] == [True]


def test_a_journal_that_was_cut_off_in_its_last_line_is_read_up_to_there(tmp_path: Path) -> None:
    whole = b'{"runId":"0189d3a0-0000-7000-8000-000000000001","attempt":1,"workerId":"w1","event":"%s","at":"%s"}\n'
    journal = tmp_path / "w1.jsonl"
    journal.write_bytes(whole % (b"begin", b"2024-01-01T00:00:00Z") + whole[:60].replace(b"%s", b"end"))

    found = read_journals([journal])

    assert [execution.ended for execution in found] == [None]
    assert found[0].began == datetime.fromisoformat("2024-01-01T00:00:00+00:00")


async def test_the_streams_are_read_as_they_are(
    connection: asyncpg.Connection[asyncpg.Record], tmp_path: Path, nats_url: str
) -> None:
    told = a_right_story(tmp_path)
    client = await nats.connect(nats_url)
    bus = client.jetstream()
    await _empty_streams(bus)
    for event in told.story.tables["events"]:
        await bus.publish(f"scheduler.{event['type']}.{TENANT}", b"{}", headers={"Nats-Msg-Id": str(event["id"])})
    await bus.publish("scheduler.work.acme.default.x", b"{}", headers={"Nats-Msg-Id": f"{told.posted.row['id']}:2"})
    await bus.publish("scheduler.report.acme", b"[]")

    told.story.streams = await read_streams(nats_url)
    history = await written(told.story, connection)

    stream = told.story.streams[EVENTS]
    assert stream is not None
    assert len(stream.messages) == len(told.story.tables["events"])
    assert [str(finding).split(":")[0].split()[0] for finding in judge(history)] == ["O7", "O7"]
    await _remove_streams(bus)
    assert await read_streams(nats_url) == dict.fromkeys((EVENTS, WORK, REPORTS, TOPICS))
    await client.close()


async def _empty_streams(bus: JetStreamContext) -> None:
    await _remove_streams(bus)
    await bus.add_stream(
        name=EVENTS, subjects=[f"scheduler.{each}.*.*" for each in ("run", "schedule", "job", "worker")]
    )
    await bus.add_stream(name=WORK, subjects=["scheduler.work.>"], retention=RetentionPolicy.WORK_QUEUE)
    await bus.add_stream(name=REPORTS, subjects=["scheduler.report.*"])
    await bus.add_stream(name=TOPICS, subjects=["topic.>"])


async def _remove_streams(bus: JetStreamContext) -> None:
    for name in (EVENTS, WORK, REPORTS, TOPICS):
        try:
            await bus.delete_stream(name)
        except NotFoundError:
            continue
