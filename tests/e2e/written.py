"""A story as the checker finds it: written to the database and to files, and read back by the checker's own readers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import orjson
from tests.e2e.checker.database import read_stored
from tests.e2e.checker.history import Expectations, History, Stored, Witness
from tests.e2e.checker.journals import read_journals
from tests.e2e.story import MOMENT, Story
from tests.e2e.story_rows import Row

NEUTRAL = {"text": "", "integer": 0, "bigint": 0, "double precision": 0.0, "boolean": False}


async def written(story: Story, connection: asyncpg.Connection[asyncpg.Record]) -> History:
    """Written to the database and to files, and read back by the checker's own readers."""
    for statement in story.before_writing:
        await connection.execute(statement)
    for table, rows in story.tables.items():
        await _write(connection, table, rows)
    return History(
        stored=_as_committed(story, await read_stored(connection)),
        streams=story.streams,
        executions=read_journals(_write_journals(story)),
        faults=story.faults,
        expected=Expectations(until=story.at(60), recovery=timedelta(seconds=5), elected=story.elected),
        accepted=story.accepted,
        witness=Witness(
            seen=story.seen,
            cursor=story.cursor,
            started=story.heard(),
            malformed=story.malformed,
            cancelled=story.cancellations,
            requests=story.requests,
        ),
    )


def _as_committed(story: Story, stored: Stored) -> Stored:
    """A test writes all in one transaction; told is that each moment had its own."""
    events = [
        replace(
            event,
            tx=int(event.at.timestamp() * 1_000_000),
            committed=story.committed.get(event.id, event.at + MOMENT / 10),
        )
        for event in stored.events
    ]
    return replace(stored, events=events)


def _write_journals(story: Story) -> list[Path]:
    paths = []
    for worker, lines in story.journals.items():
        path = story.directory / f"{worker}.jsonl"
        path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
        paths.append(path)
    return paths


async def _write(connection: asyncpg.Connection[asyncpg.Record], table: str, rows: Sequence[Row]) -> None:
    untold = await _neutral(connection, table)
    for row in rows:
        stored = untold | {name: _column(value) for name, value in row.items()}
        await connection.copy_records_to_table(table, records=[tuple(stored.values())], columns=list(stored))


async def _neutral(connection: asyncpg.Connection[asyncpg.Record], table: str) -> Row:
    """For columns that must have a value and that no story tells of: the checker does not read them."""
    columns = await connection.fetch(
        "SELECT column_name, data_type FROM information_schema.columns"
        " WHERE table_name = $1 AND is_nullable = 'NO' AND column_default IS NULL",
        table,
    )
    return {row["column_name"]: NEUTRAL[row["data_type"]] for row in columns if row["data_type"] in NEUTRAL}


def _column(value: Any) -> Any:  # Any: column values
    return orjson.dumps(value).decode() if isinstance(value, (dict, list)) else value
