"""What may be wrong with an installation, found out one by one; each finding comes with its cure."""

from __future__ import annotations

import platform
import shutil
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from rota.domain.errors import RotaError, UnavailableError
from rota.entrypoints.settings import Settings, default_data_dir
from rota.infrastructure.embedded.servers import EmbeddedServers
from rota.infrastructure.nats.connection import connect
from rota.infrastructure.nats.provisioner import Provisioner
from rota.infrastructure.postgres.examination import DatabaseFacts, examine_database

MIB = 1024 * 1024
LITTLE, TOO_LITTLE = 2048 * MIB, 256 * MIB
"""Bytes of free space."""
SKEW_OF_CONCERN = timedelta(seconds=1)
TIMEOUT = 5.0
LIBRARIES = ("nats-py", "faststream", "sqlalchemy", "asyncpg", "pydantic", "croniter")


class Verdict(StrEnum):
    OK = "OK"
    WARNING = "WARNING"
    BAD = "BAD"


@dataclass(frozen=True, slots=True)
class Finding:
    about: str
    verdict: Verdict
    detail: str
    cure: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """What is examined. Of a `rota up`, the data directory knows the servers' addresses."""

    settings: Settings
    data_dir: Path
    url: str = ""
    token: str = ""

    @classmethod
    def of(cls, settings: Settings, data_dir: Path | None, url: str, token: str) -> Patient:
        where = (data_dir or settings.rota_data_dir or default_data_dir()).absolute()
        known = EmbeddedServers.last_urls(where)
        if known and not settings.postgres_url and not settings.nats_url:
            settings = settings.model_copy(update={"postgres_url": known[0], "nats_url": known[1]})
        return cls(settings, where, url, token)


async def examine(patient: Patient) -> list[Finding]:
    """Changes nothing, and takes some seconds at most for each part that does not answer."""
    findings = [_versions(), _tz_data(), _disk(patient.data_dir)]
    parts: list[tuple[str, str, Callable[[Patient], Awaitable[list[Finding]]]]] = [
        ("database", patient.settings.postgres_url, _database),
        ("bus", patient.settings.nats_url, _bus),
        ("API", patient.url, _api),
    ]
    for name, address, look in parts:
        if address:
            findings += await look(patient)
        else:
            setting = {"database": "POSTGRES_URL", "bus": "NATS_URL", "API": "ROTA_URL"}[name]
            cure = f"set {setting}, or name the directory of a `rota up` by --data-dir"
            findings.append(Finding(name, Verdict.WARNING, "not looked at: no address is known", cure))
    return findings


def _versions() -> Finding:
    return Finding("versions", Verdict.OK, f"Python {platform.python_version()}, " + ", ".join(_installed()))


def _installed() -> Iterator[str]:
    for name in ("rota", *LIBRARIES):
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:
            yield f"{name} (from source)"


def _tz_data() -> Finding:
    return Finding("tz data", Verdict.OK, f"tzdata {version('tzdata')}, the package's own, not the machine's")


def _disk(data_dir: Path) -> Finding:
    there = next(each for each in (data_dir, *data_dir.parents) if each.exists())
    free = shutil.disk_usage(there).free
    detail = f"{free // MIB:,} MiB free at {there}"
    if free >= LITTLE:
        return Finding("disk", Verdict.OK, detail)
    verdict = Verdict.WARNING if free >= TOO_LITTLE else Verdict.BAD
    return Finding("disk", verdict, detail, "make room: the database and the bus stop taking writes when it is full")


async def _database(patient: Patient) -> list[Finding]:
    where = _without_user(patient.settings.postgres_url)
    try:
        facts = await examine_database(patient.settings.postgres_url)
    except UnavailableError as error:
        cure = "start it (`rota up` starts its own), and check POSTGRES_URL: host, port, user, password, name"
        return [Finding("database", Verdict.BAD, f"{where}: {error}", cure)]
    return [_server(where, facts), _schema(facts), _clock(facts)]


def _server(where: str, facts: DatabaseFacts) -> Finding:
    detail = f"PostgreSQL {facts.version} at {where}"
    if facts.is_writable:
        return Finding("database", Verdict.OK, detail)
    cure = "it takes no writes: a standby? then name the primary; else see default_transaction_read_only"
    return Finding("database", Verdict.BAD, f"{detail}, read-only", cure)


def _schema(facts: DatabaseFacts) -> Finding:
    detail = f"schema {facts.revision or 'missing'}"
    if facts.is_migrated:
        return Finding("schema", Verdict.OK, detail)
    return Finding("schema", Verdict.BAD, f"{detail}; this version needs {facts.newest_revision}", "run `rota migrate`")


def _clock(facts: DatabaseFacts) -> Finding:
    seconds = facts.ahead.total_seconds()
    detail = f"the database's is {abs(seconds):.3f} s {'ahead of' if seconds >= 0 else 'behind'} this machine's"
    if abs(facts.ahead) < SKEW_OF_CONCERN:
        return Finding("clock", Verdict.OK, detail)
    cure = "have both set by NTP; due times follow the database's clock, so nothing fires twice, but at its time"
    return Finding("clock", Verdict.WARNING, detail, cure)


async def _bus(patient: Patient) -> list[Finding]:
    where = _without_user(patient.settings.nats_url)
    try:
        connection = await connect(patient.settings.nats_url, name="rota-doctor", deadline=TIMEOUT)
    except RotaError as error:
        cure = "start it (`rota up` starts its own), and check NATS_URL: host, port, user, password"
        return [Finding("bus", Verdict.BAD, str(error), cure)]
    try:
        server = connection.connected_server_version
        detail = f"nats-server {server.major}.{server.minor}.{server.patch} at {where}"
        drift = await Provisioner(connection).drift()
    except RotaError as error:
        cure = "start nats-server with JetStream (-js) and room for its files"
        return [Finding("bus", Verdict.BAD, f"JetStream at {where}: {error}", cure)]
    finally:
        await connection.close()
    return [Finding("bus", Verdict.OK, detail), *_streams(drift)]


def _streams(drift: Mapping[str, str]) -> Iterator[Finding]:
    if not drift:
        yield Finding("streams", Verdict.OK, "as they should be")
    for name, differs in drift.items():
        cure = "a server with any role makes and repairs it within 5 s; what it cannot change is in its log"
        yield Finding("streams", Verdict.WARNING, f"{name}: {differs}", cure)


async def _api(patient: Patient) -> list[Finding]:
    headers = {"Authorization": f"Bearer {patient.token}"} if patient.token else {}
    asked = time.monotonic()
    try:
        async with httpx.AsyncClient(base_url=patient.url, headers=headers, timeout=TIMEOUT) as client:
            answer = await client.get("/api/v1/health")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        cure = "start a server (`rota up`, or `rota serve` with the role api), and check ROTA_URL"
        return [Finding("API", Verdict.BAD, f"{patient.url}: {error or type(error).__name__}", cure)]
    took = f"{patient.url} answered after {(time.monotonic() - asked) * 1000:.0f} ms"
    if answer.status_code == httpx.codes.OK:
        return [Finding("API", Verdict.OK, took), *_health(answer.json()["checks"])]
    return [Finding("API", Verdict.OK, took), _token(answer)]


def _token(answer: httpx.Response) -> Finding:
    told = answer.json().get("detail", "") if "json" in answer.headers.get("content-type", "") else answer.text[:200]
    cures = {
        401: "set ROTA_TOKEN to one that this server believes: `rota token --tenant … --scope …` on its machine",
        403: "the token needs the scope scheduler:read, and must name its tenant",
    }
    return Finding("token", Verdict.BAD, f"{answer.status_code}: {told}", cures.get(answer.status_code, "see its log"))


_CURES = {
    "leader": "start a server with the role leader; in its log, lease_not_renewed tells why none leads",
    "relay": "start a server with the role relay; if it runs, the bus does not take the events: see streams",
    "workers": "start a worker: `rota worker module:worker`",
    "jobs": "start a worker that knows these jobs: `rota worker module:worker`",
    "database": "see the server's log",
    "bus": "see the server's log",
}


def _health(checks: dict[str, dict[str, str]]) -> Iterator[Finding]:
    for name, check in checks.items():
        verdict = {"UP": Verdict.OK, "DEGRADED": Verdict.WARNING}.get(check["status"], Verdict.BAD)
        cure = "" if verdict is Verdict.OK else _CURES.get(name, "see the server's log")
        yield Finding(f"server's {name}", verdict, check.get("detail", "") or check["status"], cure)


def _without_user(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}{parts.path}" if parts.hostname else url
