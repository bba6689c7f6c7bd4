"""What the doctor asks a database, and what it finds where something is wrong with it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from rota.domain.errors import UnavailableError
from rota.infrastructure.postgres.examination import examine_database
from rota.infrastructure.postgres.schema import migrate, migrate_down


async def test_one_with_this_versions_schema(migrated_url: str) -> None:
    facts = await examine_database(migrated_url)

    assert (facts.is_migrated, facts.is_writable) == (True, True)
    assert int(facts.version.split(".")[0]) >= 14
    assert abs(facts.ahead) < timedelta(seconds=1)


def test_one_whose_schema_is_old_or_missing(migrated_url: str) -> None:
    migrate_down(migrated_url, "-1")
    old = asyncio.run(examine_database(migrated_url))
    migrate_down(migrated_url)
    missing = asyncio.run(examine_database(migrated_url))
    migrate(migrated_url)

    assert not old.is_migrated
    assert old.revision is not None
    assert (missing.is_migrated, missing.revision) == (False, None)
    assert asyncio.run(examine_database(migrated_url)).is_migrated


async def test_one_that_takes_no_writes(migrated_url: str) -> None:
    facts = await examine_database(f"{migrated_url}?options=-c%20default_transaction_read_only%3Don")

    assert not facts.is_writable


async def test_one_that_is_not_there(migrated_url: str) -> None:
    with pytest.raises(UnavailableError, match="does not exist"):
        await examine_database(migrated_url.rpartition("/")[0] + "/nothing")


async def test_an_address_that_is_none() -> None:
    with pytest.raises(UnavailableError):
        await examine_database("postgresql://nobody:wrong@127.0.0.1:1/none")
