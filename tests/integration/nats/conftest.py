"""A real nats-server per test, which the test may kill, freeze, restart and wipe."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import psutil
import pytest
from tests.support.ports import free_port, is_listening

from rota.infrastructure.nats.connection import Connection, connect
from rota.infrastructure.nats.provisioner import Provisioner
from rota.infrastructure.nats.publisher import Publisher

DEADLINE = 20.0


class NatsServer:
    """One server process with JetStream on files; its port stays the same over restarts."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self._port}"

    def start(self) -> None:
        self._home.mkdir(exist_ok=True)
        command = [_binary(), "-a", "127.0.0.1", "-p", str(self._port), "-js", "-sd", str(self._home)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _poll(lambda: is_listening(self._port))

    def kill(self) -> None:
        """As kill -9 does it; also a frozen one."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(DEADLINE)
            self._process = None

    def stop(self) -> None:
        """As an operator does it: what consumers had settled is written down first."""
        self._signal(signal.SIGTERM)
        assert self._process is not None
        self._process.wait(DEADLINE)
        self._process = None

    def freeze(self) -> None:
        """Returns once it does nothing more: the signal alone leaves it some instants."""
        self._signal(signal.SIGSTOP)
        assert self._process is not None
        frozen = psutil.Process(self._process.pid)
        _poll(lambda: frozen.status() == psutil.STATUS_STOPPED)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def wipe(self) -> None:
        shutil.rmtree(self._home)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    server = NatsServer(tmp_path / "nats")
    server.start()
    yield server
    server.kill()


@pytest.fixture
async def nc(server: NatsServer) -> AsyncIterator[Connection]:
    connection = await connect(server.url, name="test")
    yield connection
    await connection.close()


async def eventually(what: Callable[[], Awaitable[bool]], deadline: float = DEADLINE) -> None:
    """Returns once `what` is true; fails when it is not by the deadline."""
    end = time.monotonic() + deadline
    while not await what():
        assert time.monotonic() < end, "did not come true in time"
        await asyncio.sleep(0.02)


@pytest.fixture
async def publisher(nc: Connection) -> AsyncIterator[Publisher]:
    """With the streams there."""
    await Provisioner(nc).ensure_streams()
    publisher = Publisher(nc, ack_timeout=1.0)
    yield publisher
    await publisher.close()


async def reconnected(nc: Connection, losses: int) -> None:
    """Returns once the link was lost more often than `losses` and is up again."""

    async def is_back() -> bool:
        return nc.losses > losses and nc.is_connected

    await eventually(is_back)


def _binary() -> str:
    beside = Path(sys.executable).with_name("nats-server")
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    assert found is not None, "nats-server is not installed"
    return found


def _poll(what: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE
    while not what():
        assert time.monotonic() < end, "nats-server does not obey"
        time.sleep(0.01)
