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
