"""When we are root, as in containers and CI, Postgres runs as somebody else, and must reach what it needs."""

import os
from pathlib import Path

import psutil
import pytest

from rota.infrastructure.embedded.child import EmbeddedServerError
from rota.infrastructure.embedded.postgres import EmbeddedPostgres
from rota.infrastructure.embedded.programs import postgres_install
from rota.infrastructure.embedded.user import User

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs Postgres as another user")

DAEMON = 1  # a user that every system has


async def test_postgres_runs_as_nobody(open_directory: Path) -> None:
    postgres = EmbeddedPostgres(open_directory / "postgres")
    await postgres.start()

    assert psutil.Process(postgres.pid).username() == "nobody"
    await postgres.stop()


async def test_a_directory_that_belongs_to_somebody_stays_theirs(open_directory: Path) -> None:
    os.chown(open_directory, DAEMON, DAEMON)
    open_directory.chmod(0o700)
    postgres = EmbeddedPostgres(open_directory / "postgres")
    await postgres.start()

    assert psutil.Process(postgres.pid).uids().real == DAEMON
    assert (open_directory / "postgres" / "data").stat().st_uid == DAEMON
    await postgres.stop()


async def test_a_cluster_that_root_has_copied_back_is_given_to_the_user(open_directory: Path) -> None:
    postgres = EmbeddedPostgres(open_directory / "postgres")
    await postgres.start()
    await postgres.stop()
    cluster = open_directory / "postgres" / "data"
    User(0, 0).take(cluster)

    await postgres.start()

    assert cluster.owner() == "nobody"
    await postgres.stop()


async def test_a_directory_that_the_user_cannot_enter_is_refused(open_directory: Path) -> None:
    open_directory.chmod(0o700)

    with pytest.raises(EmbeddedServerError, match=f"user nobody, who cannot enter {open_directory}.*--data-dir"):
        await EmbeddedPostgres(open_directory / "postgres").start()


async def test_programs_that_the_user_cannot_reach_are_copied_once(open_directory: Path) -> None:
    closed = open_directory / "closed"
    closed.mkdir(mode=0o700)
    package, name = postgres_install().parts[-2:]
    (closed / "wheels").symlink_to(postgres_install().parents[1])
    postgres = EmbeddedPostgres(open_directory / "postgres", install=closed / "wheels" / package / name)

    await postgres.start()
    first = psutil.Process(postgres.pid).exe()
    await postgres.stop()
    [copy] = open_directory.glob("postgres/install-*")
    made = copy.stat().st_mtime_ns
    await postgres.start()

    assert Path(first).is_relative_to(copy)
    assert copy.stat().st_mtime_ns == made
    await postgres.stop()
