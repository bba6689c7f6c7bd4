"""What the embedded servers promise: data survives, nobody outlives us, and nobody else gets in."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import nats
import psutil
import pytest
from nats.js.api import StreamConfig

from rota.infrastructure.embedded.child import LAUNCH, EmbeddedServerError
from rota.infrastructure.embedded.nats import EmbeddedNats
from rota.infrastructure.embedded.postgres import EmbeddedPostgres
from rota.infrastructure.embedded.servers import EmbeddedServers

Eventually = Callable[[Callable[[], object]], Awaitable[None]]

PARENT = Path(__file__).with_name("parent.py")


async def test_data_is_still_there_after_a_stop_and_a_start(open_directory: Path) -> None:
    data_dir = open_directory / 'a "näme" with spaces'
    async with EmbeddedServers(data_dir) as servers:
        before = (servers.postgres.url, servers.nats.url, servers.nats.worker_password)
        await keep_something(servers)

    async with EmbeddedServers(data_dir) as servers:
        assert (servers.postgres.url, servers.nats.url, servers.nats.worker_password) == before
        assert await what_is_kept(servers) == (["one"], 1)


async def test_a_stopped_server_runs_no_more_and_a_second_stop_does_nothing(open_directory: Path) -> None:
    servers = EmbeddedServers(open_directory)
    await servers.start()
    pids = both_pids(servers)

    await servers.stop()
    await servers.stop()

    assert not any(psutil.pid_exists(pid) for pid in pids)


async def test_a_crashed_server_is_noticed_and_can_be_started_again(open_directory: Path) -> None:
    async with EmbeddedServers(open_directory) as servers:
        await keep_something(servers)
        before = (servers.postgres.url, servers.nats.url)

        await servers.postgres.kill()
        with pytest.raises(EmbeddedServerError, match="postgres has ended by itself"):
            await servers.watch()
        await servers.nats.kill()
        await servers.nats.start()
        await servers.postgres.start()

        assert (servers.postgres.url, servers.nats.url) == before
        assert await what_is_kept(servers) == (["one"], 1)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
async def test_a_killed_parent_leaves_no_orphans(open_directory: Path, loop: str, eventually: Eventually) -> None:
    with a_parent(open_directory, loop) as parent:
        wait_until_it_runs(parent)
        family = psutil.Process(parent.pid).children(recursive=True)
        names = {process.name() for process in family}
        parent.kill()

    assert names == {"postgres", "nats-server"}
    await eventually(lambda: not any(is_alive(process) for process in family))


async def test_a_start_right_after_the_parent_was_killed_recovers_the_data(open_directory: Path) -> None:
    async with EmbeddedServers(open_directory) as servers:
        await keep_something(servers)
    with a_parent(open_directory) as parent:
        wait_until_it_runs(parent)
        parent.kill()

    async with EmbeddedServers(open_directory) as servers:
        assert await what_is_kept(servers) == (["one"], 1)


async def test_a_parent_killed_during_initdb_leaves_nothing_that_hinders(
    open_directory: Path, eventually: Eventually
) -> None:
    with a_parent(open_directory) as parent:
        await eventually(lambda: list(open_directory.glob("postgres/init-*/data/base")))
        parent.kill()
    assert not (open_directory / "postgres" / "data").exists()

    async with EmbeddedServers(open_directory) as servers:
        await keep_something(servers)

    assert not list(open_directory.glob("postgres/init-*"))


def test_a_child_whose_parent_died_before_it_could_ask_for_the_signal_does_not_start(tmp_path: Path) -> None:
    not_our_parent = "1"
    touch = ["/bin/touch", str(tmp_path / "started")]
    command = [sys.executable, "-I", "-S", str(LAUNCH), not_our_parent, "15", "-1", "-1", *touch]

    ended = subprocess.run(command, check=False, timeout=30)

    assert ended.returncode != 0
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize("content", ["{other}\n{rest}", ""])
async def test_a_stale_pid_file_is_no_hindrance(open_directory: Path, content: str) -> None:
    postgres = EmbeddedPostgres(open_directory / "postgres")
    await postgres.start()
    pid_file = open_directory / "postgres" / "data" / "postmaster.pid"
    rest = pid_file.read_text().partition("\n")[2]
    await postgres.kill()
    with a_stranger(like=pid_file) as other:
        pid_file.write_text(content.format(other=other, rest=rest))

        await postgres.start()

        assert postgres.is_running
        await postgres.stop()


async def test_a_second_start_in_the_same_directory_is_refused(open_directory: Path) -> None:
    async with EmbeddedServers(open_directory) as servers:
        with pytest.raises(EmbeddedServerError, match=rf"in use by another process \(pid {os.getpid()}\)"):
            await EmbeddedServers(open_directory).start()

        assert servers.postgres.is_running
        assert servers.nats.is_running


async def test_a_second_start_of_the_same_object_is_refused(servers: EmbeddedServers) -> None:
    with pytest.raises(EmbeddedServerError, match="is running already"):
        await servers.nats.start()

    assert servers.nats.is_running


async def test_a_start_outside_the_main_thread_is_refused(open_directory: Path) -> None:
    failures = []

    def start() -> None:
        try:
            asyncio.run(EmbeddedNats(open_directory).start())
        except EmbeddedServerError as error:
            failures.append(str(error))

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()

    assert ["main thread" in failure for failure in failures] == [True]


async def test_a_taken_port_is_refused_when_asked_for_and_else_avoided(
    servers: EmbeddedServers, open_directory: Path
) -> None:
    taken = servers.nats.port
    (open_directory / "port").write_text(str(taken))

    with pytest.raises(EmbeddedServerError, match=f"port {taken} on 127.0.0.1 is taken"):
        await EmbeddedNats(open_directory, port=taken).start()
    other = EmbeddedNats(open_directory)
    await other.start()

    assert other.port not in (0, taken)
    await other.stop()


async def test_the_end_of_a_server_at_start_is_told_with_the_tail_of_its_log(open_directory: Path) -> None:
    postgres = EmbeddedPostgres(open_directory, settings={"shared_buffers": "nonsense"})

    with pytest.raises(EmbeddedServerError, match=r'ended while it was starting.*"shared_buffers": "nonsense"') as told:
        await postgres.start()

    assert "\n" not in str(told.value)
    assert not postgres.is_running


async def test_a_lost_password_is_told(open_directory: Path) -> None:
    postgres = EmbeddedPostgres(open_directory)
    await postgres.start()
    await postgres.stop()
    (open_directory / "password").unlink()

    with pytest.raises(EmbeddedServerError, match="refuses its own client: password authentication failed"):
        await postgres.start()

    assert not postgres.is_running


async def test_a_wrong_password_is_refused(servers: EmbeddedServers) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(servers.postgres.url.replace("rota:", "rota:x"), ssl=False)


async def test_what_the_servers_promise_is_what_they_do(servers: EmbeddedServers) -> None:
    connection = await asyncpg.connect(servers.postgres.url, ssl=False)
    try:
        shown = [await connection.fetchval(f"SHOW {name}") for name in ("fsync", "synchronous_commit", "timezone")]
        encoding = await connection.fetchval("SELECT pg_encoding_to_char(encoding) FROM pg_database LIMIT 1")
    finally:
        await connection.close()

    assert shown == ["on", "on", "UTC"]
    assert encoding == "UTF8"


async def test_secrets_are_for_their_owner_only(open_directory: Path) -> None:
    async with EmbeddedServers(open_directory):
        modes = {path.name: path.stat().st_mode & 0o777 for path in open_directory.glob("*/*") if path.is_file()}

    assert {"password", "operator-password", "worker-password", "nats.conf"} <= modes.keys()
    assert set(modes.values()) == {0o600}


async def keep_something(servers: EmbeddedServers) -> None:
    connection = await asyncpg.connect(servers.postgres.url, ssl=False)
    try:
        await connection.execute("CREATE TABLE kept AS SELECT 'one' AS word")
    finally:
        await connection.close()
    async with await nats.connect(servers.nats.url) as client:
        await client.jetstream().add_stream(StreamConfig(name="KEPT", subjects=["kept"]))
        await client.jetstream().publish("kept", b"one")


async def what_is_kept(servers: EmbeddedServers) -> tuple[list[str], int]:
    connection = await asyncpg.connect(servers.postgres.url, ssl=False)
    try:
        words = [row["word"] for row in await connection.fetch("SELECT word FROM kept")]
    finally:
        await connection.close()
    async with await nats.connect(servers.nats.url) as client:
        return words, (await client.jetstream().stream_info("KEPT")).state.messages


def both_pids(servers: EmbeddedServers) -> list[int]:
    return [pid for pid in (servers.postgres.pid, servers.nats.pid) if pid is not None]


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextmanager
def a_parent(data_dir: Path, loop: str = "asyncio") -> Iterator[subprocess.Popen[str]]:
    """A process of its own that starts both servers in `data_dir` and writes a line when they run."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, PARENT, data_dir, loop], stdout=subprocess.PIPE, text=True, env=environment
    ) as parent:
        try:
            yield parent
        finally:
            parent.kill()


def wait_until_it_runs(parent: subprocess.Popen[str]) -> None:
    assert parent.stdout is not None
    assert parent.stdout.readline(), "the servers did not start"


@contextmanager
def a_stranger(like: Path) -> Iterator[int]:
    """The id of a living process that has nothing to do with Postgres but its user, the owner of `like`."""
    owner = like.stat()
    ids = {"user": owner.st_uid, "group": owner.st_gid} if os.geteuid() == 0 else {}
    with subprocess.Popen(["sleep", "60"], **ids) as process:  # type: ignore[call-overload]  # keywords from a dict
        try:
            yield process.pid
        finally:
            process.kill()
