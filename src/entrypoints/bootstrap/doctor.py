"""Looks at an installation, part by part; what it finds is judged by `diagnosis`."""

from __future__ import annotations

import os
import platform
import re
import shutil
import time
from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import orjson

from rota.domain.errors import RotaError
from rota.entrypoints.bootstrap.diagnosis import (
    DiskFacts,
    Finding,
    Refusal,
    TokenFacts,
    Verdict,
    judge_bus,
    judge_bus_away,
    judge_clock,
    judge_database,
    judge_database_away,
    judge_disk,
    judge_health,
    judge_token,
    judge_tz_data,
    judge_versions,
    not_looked_at,
)
from rota.entrypoints.settings import Settings, default_data_dir
from rota.infrastructure.embedded.servers import EmbeddedServers
from rota.infrastructure.nats.examination import examine_bus
from rota.infrastructure.postgres.examination import examine_database

TIMEOUT = 5.0
LIBRARIES = ("nats-py", "faststream", "sqlalchemy", "asyncpg", "fastapi", "uvicorn", "pydantic", "croniter", "joserfc")
MACHINES_TZ_DATA = Path("/usr/share/zoneinfo/tzdata.zi")
SECOND = timedelta(seconds=1)


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
        if known and settings.postgres_url in ("", known[0]) and settings.nats_url in ("", known[1]):
            settings = settings.model_copy(update={"postgres_url": known[0], "nats_url": known[1]})
        return cls(settings, where, url, token)


async def examine(patient: Patient) -> list[Finding]:
    """Changes nothing, and takes some seconds at most for each part that does not answer."""
    findings = [
        judge_versions(platform.python_version(), {name: _version(name) for name in ("rota", *LIBRARIES)}),
        judge_tz_data(str(import_module("tzdata").IANA_VERSION), _machines_tz_data()),
        *map(judge_disk, _disks(patient.data_dir)),
    ]
    parts: list[tuple[str, str, str, Callable[[Patient], Awaitable[list[Finding]]]]] = [
        ("database", "POSTGRES_URL", patient.settings.postgres_url, _database),
        ("bus", "NATS_URL", patient.settings.nats_url, _bus),
        ("API", "ROTA_URL", patient.url, _api),
    ]
    for name, setting, address, look in parts:
        if address:
            findings += await look(patient)
        else:
            cure = "set ROTA_URL: `rota up` prints it"
            if name != "API":
                cure = f"set {setting}, or name the directory of a `rota up` by --data-dir"
            findings.append(not_looked_at(name, f"{setting} is not set", cure))
    if not patient.url and patient.token:
        findings.append(_judged(patient, None, is_proven=False))
    return findings


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(from source)" if package == "rota" else None


def _machines_tz_data() -> str | None:
    try:
        with MACHINES_TZ_DATA.open(encoding="utf-8") as file:
            found = re.match(r"# version (\S+)", file.readline())
    except (OSError, UnicodeDecodeError):
        return None
    return found[1] if found else None


def _disks(data_dir: Path) -> Iterator[DiskFacts]:
    """Where the data is, or would be; the servers' own, if they are elsewhere."""
    there = next(each for each in (data_dir, *data_dir.parents) if each.exists())
    seen: set[int] = set()
    for where in (there, data_dir / "postgres", data_dir / "nats"):
        if not where.exists() or (device := where.stat().st_dev) in seen:
            continue
        seen.add(device)
        system = os.statvfs(where)
        nodes = system.f_favail if system.f_files else None
        yield DiskFacts(where, shutil.disk_usage(where).free, nodes, is_writable=not system.f_flag & os.ST_RDONLY)


async def _database(patient: Patient) -> list[Finding]:
    where = _without_user(patient.settings.postgres_url)
    try:
        return list(judge_database(where, await examine_database(patient.settings.postgres_url)))
    except RotaError as error:
        return [judge_database_away(where, error)]


async def _bus(patient: Patient) -> list[Finding]:
    try:
        facts = await examine_bus(patient.settings.nats_url)
    except RotaError as error:
        return [judge_bus_away(error)]
    return list(judge_bus(_without_user(patient.settings.nats_url), facts))


async def _api(patient: Patient) -> list[Finding]:
    try:
        async with httpx.AsyncClient(base_url=patient.url.rstrip("/"), timeout=TIMEOUT) as client:
            asked, began = datetime.now(UTC), time.monotonic()
            ready = await client.get("/api/v1/ready")
            took = timedelta(seconds=time.monotonic() - began)
            findings = [_reached(patient.url, ready, took), *_clock(ready, asked, took)]
            if findings[0].verdict is Verdict.BAD:  # a stranger, who is shown no token
                return findings
            if not patient.token:
                cure = "set ROTA_TOKEN: `rota up` prints one"
                return [*findings, not_looked_at("token", "ROTA_TOKEN is not set", cure)]
            health = await client.get("/api/v1/health", headers={"Authorization": f"Bearer {patient.token}"})
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        cure = "start a server (`rota up`, or `rota serve` with the role api), and check ROTA_URL"
        away = Finding("API", Verdict.BAD, f"{patient.url}: {error or type(error).__name__}", cure)
        return [away, _judged(patient, None, is_proven=False)] if patient.token else [away]
    if health.status_code != httpx.codes.OK:
        return [*findings, _judged(patient, Refusal(health.status_code, _detail(health)), is_proven=False)]
    checks: dict[str, dict[str, object]] = health.json()["checks"]
    return [*findings, _judged(patient, None, is_proven=True), *judge_health(checks)]


def _reached(url: str, ready: httpx.Response, took: timedelta) -> Finding:
    detail = f"{url} answered after {took / timedelta(milliseconds=1):.0f} ms"
    if _json(ready).get("status") == "UP":
        return Finding("API", Verdict.OK, detail)
    if ready.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        return Finding(
            "API", Verdict.WARNING, f"{detail}: {_detail(ready)}", "see its log: it waits for database or bus"
        )
    cure = "check ROTA_URL: host and port, without a path; something else answers there"
    return Finding("API", Verdict.BAD, f"{detail}, but not as Rota does ({ready.status_code})", cure)


def _clock(ready: httpx.Response, asked: datetime, took: timedelta) -> Iterator[Finding]:
    """By the header Date, which tells whole seconds."""
    try:
        said = parsedate_to_datetime(ready.headers["date"])
    except (KeyError, ValueError):
        return
    yield judge_clock("API", said + SECOND / 2 - asked - took / 2, fineness=SECOND)


def _judged(patient: Patient, refusal: Refusal | None, *, is_proven: bool) -> Finding:
    facts = read_token(patient.token, patient.settings.tenant_claim)
    return judge_token(facts, datetime.now(UTC), refusal, is_proven=is_proven)


def read_token(token: str, tenant_claim: str) -> TokenFacts | None:
    """What it says of itself, unproven; None if it is no JWT."""
    try:
        body = token.split(".")[1]
        claims = orjson.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        scopes, expires = claims.get("scope") or "", claims.get("exp")
        return TokenFacts(
            tenant=str(claims.get(tenant_claim) or ""),
            scopes=tuple(scopes.split() if isinstance(scopes, str) else map(str, scopes)),
            expires=None if expires is None else datetime.fromtimestamp(expires, UTC),
        )
    except (IndexError, ValueError, TypeError, AttributeError, OverflowError):
        return None


def _detail(answer: httpx.Response) -> str:
    return str(_json(answer).get("detail") or answer.text[:200] or answer.reason_phrase)


def _json(answer: httpx.Response) -> dict[str, object]:
    try:
        said = orjson.loads(answer.content)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _without_user(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}{parts.path}" if parts.hostname else url
