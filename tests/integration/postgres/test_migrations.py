"""Each migration goes up, down and up again, and ends where the tables of the code are."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from rota.infrastructure.postgres.schema import alembic_config, migrate, migrate_down
from rota.infrastructure.postgres.tables import metadata

Found = TypeVar("Found")

COLUMNS = """
    SELECT table_name, column_name, data_type, udt_name, is_nullable, column_default
    FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'
"""
INDEXES = "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
CONSTRAINTS = """
    SELECT conrelid::regclass::text, contype::text, pg_get_constraintdef(oid)
    FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND conrelid <> 0 AND conrelid::regclass::text <> 'alembic_version'
      AND contype <> 'n'
"""
SEQUENCES = "SELECT sequence_name, data_type, start_value, increment FROM information_schema.sequences"


def asked(url: str, question: Callable[[Connection], Found]) -> Found:
    """These tests have no event loop of their own: a migration brings one along."""

    async def ask() -> Found:
        engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://", 1))
        try:
            async with engine.begin() as connection:
                return await connection.run_sync(question)
        finally:
            await engine.dispose()

    return asyncio.run(ask())


def schema_of(url: str) -> dict[str, list[tuple[Any, ...]]]:  # Any: catalog values
    """All that the catalog says of it, in an order of its own."""

    def look(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
        questions = {"columns": COLUMNS, "indexes": INDEXES, "constraints": CONSTRAINTS, "sequences": SEQUENCES}
        return {
            name: sorted((tuple(row) for row in connection.execute(text(question))), key=repr)
            for name, question in questions.items()
        }

    return asked(url, look)


@pytest.fixture
def empty_url(database_url: str) -> Iterator[str]:
    """The module's database, empty again for each test."""

    def sweep(connection: Connection) -> None:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))

    asked(database_url, sweep)
    yield database_url


def revisions() -> list[str]:
    """The oldest first."""
    scripts = ScriptDirectory.from_config(alembic_config(""))
    return [script.revision for script in reversed(list(scripts.walk_revisions()))]


def test_each_step_goes_up_down_and_up_again(empty_url: str) -> None:
    before = schema_of(empty_url)
    for revision in revisions():
        migrate(empty_url, revision)
        after = schema_of(empty_url)
        migrate_down(empty_url, "-1")
        assert schema_of(empty_url) == before
        migrate(empty_url, revision)
        assert schema_of(empty_url) == after
        before = after


def test_all_the_way_down_leaves_nothing(empty_url: str) -> None:
    migrate(empty_url)

    migrate_down(empty_url)

    assert schema_of(empty_url) == {"columns": [], "indexes": [], "constraints": [], "sequences": []}


def test_there_is_one_head() -> None:
    assert len(ScriptDirectory.from_config(alembic_config("")).get_heads()) == 1


def test_alembic_sees_no_difference_between_the_tables_of_the_code_and_those_migrated(empty_url: str) -> None:
    migrate(empty_url)

    def differences(connection: Connection) -> list[Any]:  # Any: alembic's own
        options = {"compare_type": True, "compare_server_default": True}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))

    assert asked(empty_url, differences) == []


def test_nor_does_the_catalog_where_alembic_does_not_look(empty_url: str) -> None:
    """Conditions of partial indexes, sequences, what a foreign key does."""
    migrate(empty_url)
    migrated = schema_of(empty_url)
    migrate_down(empty_url)
    asked(empty_url, metadata.create_all)

    assert schema_of(empty_url) == migrated


def test_doing_it_again_does_nothing(empty_url: str) -> None:
    migrate(empty_url)
    before = schema_of(empty_url)

    migrate(empty_url)

    assert schema_of(empty_url) == before


def test_several_at_once_do_no_harm(empty_url: str) -> None:
    """As when several servers of a new version start together."""
    command = [sys.executable, "-m", "rota.entrypoints.cli", "migrate"]
    environment = os.environ | {"POSTGRES_URL": empty_url}
    processes = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(3)]

    errors = [process.communicate(timeout=60)[1] for process in processes]

    assert [(process.returncode, error) for process, error in zip(processes, errors, strict=True)] == [(0, "")] * 3
    assert len(schema_of(empty_url)["columns"]) == sum(len(table.columns) for table in metadata.sorted_tables)


def test_a_step_that_fails_halfway_leaves_nothing_behind(empty_url: str) -> None:
    """All steps are one transaction: the last table stands in the way, and the first is not there either."""
    asked(empty_url, lambda connection: connection.execute(text("CREATE TABLE schedule_revisions (id INTEGER)")))
    before = schema_of(empty_url)

    with pytest.raises(Exception, match="already exists"):
        migrate(empty_url)

    assert schema_of(empty_url) == before


class TestTheSecondStep:
    """A run's whole life: what stood before goes on, and what the first version cannot read is gone on the way back."""

    AT = "timestamptz '2026-03-02 12:00Z'"
    JOB = "00000000-0000-7000-8000-000000000001"

    def write(self, url: str, *statements: str) -> None:
        def execute(connection: Connection) -> None:
            for statement in statements:
                connection.exec_driver_sql(statement)

        asked(url, execute)

    def rows(self, url: str, question: str) -> list[tuple[Any, ...]]:  # Any: column values
        return asked(url, lambda connection: [tuple(row) for row in connection.exec_driver_sql(question)])

    def a_run(self, number: int, **more: str) -> str:
        values = {
            "tenant_id": "'acme'",
            "id": f"'00000000-0000-7000-8000-0000000001{number:02}'",
            "job_id": f"'{self.JOB}'",
            "cause": "'API'",
            "state": "'PENDING'",
            "scheduled_for": self.AT,
            "due_at": self.AT,
            "created_at": self.AT,
            "wake_at": self.AT,
            "attempt": "0",
            "sends": "0",
            "seq": "1",
        } | more
        return f"INSERT INTO runs ({', '.join(values)}) VALUES ({', '.join(values.values())})"

    def a_schedule(self, number: int, trigger: str, **more: str) -> str:
        values = {
            "tenant_id": "'acme'",
            "id": f"'00000000-0000-7000-8000-0000000002{number:02}'",
            "name": f"'{number}'",
            "labels": "'{}'",
            "target_kind": "'JOB'",
            "definition": f"""'{{"trigger": {{"type": "{trigger}"}}}}'""",
            "enabled": "true",
            "created_at": self.AT,
            "updated_at": self.AT,
            "version": "1",
            "seq": "1",
            "runs_made": "0",
            "fired_epoch": "0",
        } | more
        return f"INSERT INTO schedules ({', '.join(values)}) VALUES ({', '.join(values.values())})"

    def test_runs_get_their_lane_and_schedules_their_kind(self, empty_url: str) -> None:
        migrate(empty_url, "0001")
        self.write(empty_url, self.a_run(1), self.a_schedule(1, "CRON"), self.a_schedule(2, "ONE_SHOT"))

        migrate(empty_url, "0002")

        lanes = self.rows(empty_url, "SELECT lane, priority, awaited, rank, wake_at IS NOT NULL FROM runs")
        assert lanes == [(self.JOB, 0, False, None, True)]
        assert self.rows(empty_url, "SELECT trigger_kind FROM schedules ORDER BY id") == [("CRON",), ("ONE_SHOT",)]

    def test_the_way_back_leaves_what_the_first_version_knows(self, empty_url: str) -> None:
        migrate(empty_url, "0002")
        new = {"lane": "'a lane'", "priority": "0", "awaited": "false"}
        waits = new | {"wake_at": "NULL", "rank": self.AT}
        job = f"'{self.JOB}'"
        self.write(
            empty_url,
            "INSERT INTO jobs (tenant_id, id, name, queue, definition, from_registration, created_at, updated_at,"
            f" version, seq) VALUES ('acme', {job}, 'a', 'b', '{{}}', false, {self.AT}, {self.AT}, 1, 1)",
            self.a_run(1, **waits),
            self.a_run(2, **waits, parked_on="'key:a'"),
            self.a_run(3, **(new | {"state": "'QUEUED'"})),
            self.a_run(4, **(new | {"job_id": "NULL", "delivery": "'{}'"})),
            self.a_schedule(1, "CRON", trigger_kind="'CRON'", job_id=job),
            self.a_schedule(2, "EVENT", trigger_kind="'EVENT'", job_id=job),
            self.a_schedule(3, "CRON", trigger_kind="'CRON'", delivery="'{}'"),
        )

        migrate_down(empty_url, "0001")

        wakes = self.rows(empty_url, "SELECT state, wake_at IS NOT NULL FROM runs ORDER BY id")
        assert wakes == [("PENDING", True), ("PENDING", True), ("QUEUED", False)]
        living = self.rows(empty_url, "SELECT name, enabled FROM schedules WHERE deleted_at IS NULL")
        assert living == [("1", True)]
