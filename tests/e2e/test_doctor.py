"""`rota doctor` where something is really wrong: databases, buses and servers that are broken for it."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import nats
import pytest
from nats.js.api import ConsumerConfig
from tests.e2e.test_up import PATIENCE, await_true

from rota.entrypoints.bootstrap.diagnosis import Finding
from rota.entrypoints.bootstrap.doctor import Patient, examine
from rota.entrypoints.settings import Settings
from rota.infrastructure.embedded.programs import nats_server
from rota.infrastructure.nats.connection import connect
from rota.infrastructure.nats.names import TOPICS, WORK, Lane
from rota.infrastructure.nats.provisioner import Provisioner
from rota.infrastructure.postgres.schema import migrate, migrate_down

JOB = "01890a5d-ac96-774b-bcce-b302099a8057"


def found(tmp_path: Path, *, postgres: str = "", bus: str = "", url: str = "") -> dict[str, Finding]:
    """What there is to say, by what it is about."""
    settings = Settings(postgres_url=postgres, nats_url=bus)
    return {each.about: each for each in asyncio.run(examine(Patient(settings, tmp_path, url)))}


class Bus:
    """A nats-server of the test's own."""

    def __init__(self, directory: Path, *options: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        words = ["-a", "127.0.0.1", "-p", str(self.port), "--user", "rota", "--pass", "secret", *options]
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen([nats_server(), *words], cwd=directory, stdout=quiet, stderr=quiet)
        await_true(self._listens)

    def url(self, password: str = "secret") -> str:
        return f"nats://rota:{password}@127.0.0.1:{self.port}"

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE)

    def _listens(self) -> bool:
        with socket.socket() as link:
            return link.connect_ex(("127.0.0.1", self.port)) == 0


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[Bus]:
    bus = Bus(tmp_path, "-js", "-sd", str(tmp_path))
    yield bus
    bus.stop()


def test_a_migration_is_missing(database_url: str, tmp_path: Path) -> None:
    migrate(database_url)
    migrate_down(database_url, "-1")

    before = found(tmp_path, postgres=database_url)["schema"]
    migrate(database_url)
    after = found(tmp_path, postgres=database_url)["schema"]

    assert (before.verdict, before.cure, after.verdict) == ("BAD", "run `rota migrate`", "OK")


def test_a_database_refuses_the_password_or_is_not_there(database_url: str, tmp_path: Path) -> None:
    server, _, _ = database_url.rpartition("/")
    user, _, address = server.rpartition("@")

    stranger = found(tmp_path, postgres=f"{user}wrong@{address}/rota")["database"]
    missing = found(tmp_path, postgres=f"{server}/nothing")["database"]

    assert (stranger.verdict, "password of POSTGRES_URL" in stranger.cure) == ("BAD", True)
    assert (missing.verdict, "create it" in missing.cure) == ("BAD", True)
    assert "wrong" not in stranger.detail


def test_a_bus_whose_streams_were_never_made_and_then_changed_by_somebody(bus: Bus, tmp_path: Path) -> None:
    async def provide() -> None:
        connection = await connect(bus.url(), name="test")
        provisioner = Provisioner(connection)
        await provisioner.ensure_streams()
        await provisioner.ensure_intake()
        await connection.close()

    async def change() -> None:
        async with await nats.connect(bus.url()) as client:
            stream = client.jetstream()
            config = (await stream.stream_info(TOPICS)).config
            config.max_msgs = 7
            await stream.update_stream(config)
            lane = Lane("acme", JOB)  # type: ignore[arg-type]
            consumer = ConsumerConfig(durable_name=JOB.replace("-", ""), filter_subject=lane.subjects, ack_wait=60)
            await stream.add_consumer(WORK, consumer)

    bare = found(tmp_path, bus=bus.url())["streams"]
    asyncio.run(provide())
    well = found(tmp_path, bus=bus.url())
    asyncio.run(change())
    settings = Settings(nats_url=bus.url())
    drifted = [each for each in asyncio.run(examine(Patient(settings, tmp_path))) if each.about == "streams"]

    assert (bare.verdict, bare.detail.endswith("missing")) == ("WARNING", True)
    assert {well[name].verdict for name in ("bus", "JetStream", "streams", "clock of the bus")} == {"OK"}
    assert {each.verdict for each in drifted} == {"WARNING"}
    assert any(each.detail.startswith(f"{TOPICS}: max_msgs is 7, not -1") for each in drifted)
    assert any("ack_wait is 60000000000, not 5000000000" in each.detail for each in drifted)


def test_a_bus_refuses_the_password_and_then_stops(bus: Bus, tmp_path: Path) -> None:
    stranger = found(tmp_path, bus=bus.url("wrong"))["bus"]
    bus.stop()
    stopped = found(tmp_path, bus=bus.url())["bus"]

    assert (stranger.verdict, "password of NATS_URL" in stranger.cure) == ("BAD", True)
    assert (stopped.verdict, "start it" in stopped.cure) == ("BAD", True)
    assert "secret" not in stranger.detail + stopped.detail


def test_a_bus_without_jetstream(tmp_path: Path) -> None:
    bus = Bus(tmp_path)

    finding = found(tmp_path, bus=bus.url())["JetStream"]
    bus.stop()

    assert (finding.verdict, "-js" in finding.cure) == ("BAD", True)


class Late(BaseHTTPRequestHandler):
    """A server whose clock is an hour behind."""

    def do_GET(self) -> None:
        self.send_response_only(200)
        self.send_header("Date", format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True))
        self.end_headers()
        self.wfile.write(b'{"status": "UP"}')

    def log_message(self, *_: object) -> None:
        """Nobody listens."""


def test_a_servers_clock_is_behind(tmp_path: Path) -> None:
    with HTTPServer(("127.0.0.1", 0), Late) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        said = found(tmp_path, url=f"http://127.0.0.1:{server.server_address[1]}")
        server.shutdown()

    assert said["API"].verdict == "OK"
    assert (said["clock of the API"].verdict, "NTP" in said["clock of the API"].cure) == ("BAD", True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a disk")
def test_a_disk_is_full(tmp_path: Path) -> None:
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)], check=False)
    if mount.returncode:
        pytest.skip("no disk may be mounted here")
    try:
        finding = found(tmp_path)["disk"]
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)

    assert (finding.verdict, "make room" in finding.cure) == ("BAD", True)
