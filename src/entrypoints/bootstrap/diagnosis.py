"""From what was found out about an installation to what is wrong with it, and what helps. Looks at nothing itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from rota.application.ports.tokens import ANY_TENANT, SCOPES
from rota.domain.errors import RotaError
from rota.infrastructure.nats.connection import OldServerError
from rota.infrastructure.nats.connection import StrangerError as StrangerOnBusError
from rota.infrastructure.nats.examination import BusFacts, JetStreamOffError
from rota.infrastructure.postgres.examination import DatabaseFacts, NoSuchDatabaseError
from rota.infrastructure.postgres.examination import StrangerError as StrangerInDatabaseError

MIB = 1024 * 1024
LITTLE, TOO_LITTLE = 2048 * MIB, 256 * MIB
"""Bytes of free space."""
NEARLY_FULL, FULL = 0.8, 0.98
SKEW_OF_CONCERN, SKEW_TOO_MUCH = timedelta(seconds=1), timedelta(minutes=1)
SOON = timedelta(days=1)
OLDEST_POSTGRES = 15
"""The oldest that was tried."""


class Verdict(StrEnum):
    OK = "OK"
    WARNING = "WARNING"
    BAD = "BAD"


@dataclass(frozen=True, slots=True)
class Finding:
    """`cure` is one line, empty where nothing is wrong."""

    about: str
    verdict: Verdict
    detail: str
    cure: str = ""


@dataclass(frozen=True, slots=True)
class DiskFacts:
    """`free` in bytes; `nodes` is how many more files it can have, None where it does not count them."""

    where: Path
    free: int
    nodes: int | None = None
    is_writable: bool = True


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """What a token says of itself; nobody has proven it. `expires` None: never."""

    tenant: str
    scopes: tuple[str, ...]
    expires: datetime | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the API answers who shows the token: 401 or 403, and why."""

    status: int
    detail: str


def not_looked_at(about: str, why: str, cure: str) -> Finding:
    return Finding(about, Verdict.WARNING, f"not looked at: {why}", cure)


def judge_versions(python: str, installed: Mapping[str, str | None]) -> Finding:
    """`installed` is by package; None where it is missing."""
    detail = f"Python {python}, " + ", ".join(f"{name} {said}" for name, said in installed.items() if said)
    missing = [name for name, said in installed.items() if not said]
    if not missing:
        return Finding("versions", Verdict.OK, detail)
    cure = "install rota[server] into the environment that this `rota` is of"
    return Finding("versions", Verdict.BAD, f"{detail}; missing: {', '.join(missing)}", cure)


def judge_tz_data(packaged: str, machines: str | None) -> Finding:
    """Rota goes by the package's data; `machines` is what other programs on this machine go by."""
    detail = f"tzdata {packaged}, the package's own"
    if machines is None or machines == packaged:
        return Finding(
            "tz data", Verdict.OK, f"{detail}; {f'{machines} on' if machines else 'none found on'} the machine"
        )
    detail += f"; the machine has {machines}"
    if machines < packaged:
        return Finding("tz data", Verdict.OK, f"{detail}, which is older and is not used")
    cure = (
        "upgrade the package tzdata where servers run, and restart them: they know nothing of the newest clock changes"
    )
    return Finding("tz data", Verdict.WARNING, detail, cure)


def judge_disk(disk: DiskFacts) -> Finding:
    detail = f"{disk.free // MIB:,} MiB free at {disk.where}"
    if not disk.is_writable:
        return Finding(
            "disk", Verdict.BAD, f"{disk.where} takes no writes", "mount it read-write, for the server's user"
        )
    if disk.nodes is not None and disk.nodes < 1:
        return Finding("disk", Verdict.BAD, f"{detail}, but not one more file", "delete files: its inodes are used up")
    if disk.free >= LITTLE:
        return Finding("disk", Verdict.OK, detail)
    verdict = Verdict.WARNING if disk.free >= TOO_LITTLE else Verdict.BAD
    return Finding("disk", verdict, detail, "make room: the database and the bus stop taking writes when it is full")


def judge_clock(whose: str, ahead: timedelta, *, fineness: timedelta = timedelta(0)) -> Finding:
    """`ahead` is by how much that clock is ahead of this machine's; `fineness` what it cannot be told better than."""
    about = "clock" if whose == "database" else f"clock of the {whose}"
    seconds = ahead.total_seconds()
    detail = f"the {whose}'s is {abs(seconds):,.3f} s {'ahead of' if seconds >= 0 else 'behind'} this machine's"
    if abs(ahead) < SKEW_OF_CONCERN + fineness:
        return Finding(about, Verdict.OK, detail)
    cure = "have both set by NTP; due times follow the database's clock, so nothing fires twice, but at its time"
    return Finding(about, Verdict.WARNING if abs(ahead) < SKEW_TOO_MUCH else Verdict.BAD, detail, cure)


def judge_database(where: str, facts: DatabaseFacts) -> Iterator[Finding]:
    detail = f"PostgreSQL {facts.version} at {where}, {facts.size // MIB:,} MiB"
    major = facts.version.split(".")[0]
    if not facts.is_writable:
        cure = "it takes no writes: a standby? then name the primary; else see default_transaction_read_only"
        yield Finding("database", Verdict.BAD, f"{detail}, read-only", cure)
    elif major.isdecimal() and int(major) < OLDEST_POSTGRES:
        cure = f"upgrade it: this version of rota was not tried with any before {OLDEST_POSTGRES}"
        yield Finding("database", Verdict.WARNING, detail, cure)
    else:
        yield Finding("database", Verdict.OK, detail)
    detail = f"schema {facts.revision or 'missing'}"
    if facts.is_migrated:
        yield Finding("schema", Verdict.OK, f"{detail}, the newest")
    else:
        yield Finding(
            "schema", Verdict.BAD, f"{detail}; this version needs {facts.newest_revision}", "run `rota migrate`"
        )
    yield judge_clock("database", facts.ahead)


def judge_database_away(where: str, error: RotaError) -> Finding:
    cure = "start it (`rota up` starts its own), and check the host and port of POSTGRES_URL"
    if isinstance(error, StrangerInDatabaseError):
        cure = "check the user and password of POSTGRES_URL; it is the server that refuses them (pg_hba.conf)"
    elif isinstance(error, NoSuchDatabaseError):
        cure = "create it, or check the name at the end of POSTGRES_URL; then run `rota migrate`"
    return Finding("database", Verdict.BAD, f"{where}: {error}", cure)


def judge_bus(where: str, facts: BusFacts) -> Iterator[Finding]:
    yield Finding("bus", Verdict.OK, f"nats-server {facts.version} at {where}")
    limit = f" of {facts.most_stored // MIB:,}" if facts.most_stored else ""
    detail = f"{facts.stored // MIB:,}{limit} MiB stored" + "".join(
        f", {name} {share:.0%} full" for name, share in facts.fullness.items()
    )
    fullest = max((*facts.fullness.values(), facts.stored / facts.most_stored if facts.most_stored else 0.0), default=0)
    if fullest < NEARLY_FULL:
        yield Finding("JetStream", Verdict.OK, detail)
    else:
        cure = (
            "make room: start workers for the work that waits, a server with the role reports, or raise max_file_store"
        )
        yield Finding("JetStream", Verdict.WARNING if fullest < FULL else Verdict.BAD, detail, cure)
    if not facts.drift:
        yield Finding("streams", Verdict.OK, "as they should be, and their consumers")
    for name, differs in facts.drift.items():
        cure = "a server with any role makes and repairs it within 5 s; what it cannot change is in its log"
        yield Finding("streams", Verdict.WARNING, f"{name}: {differs}", cure)
    if facts.ahead is not None:
        yield judge_clock("bus", facts.ahead)


def judge_bus_away(error: RotaError) -> Finding:
    cure = "start it (`rota up` starts its own), and check the host and port of NATS_URL"
    if isinstance(error, StrangerOnBusError):
        cure = "check the user and password of NATS_URL against the server's configuration"
    elif isinstance(error, OldServerError):
        cure = "upgrade nats-server to 2.12 or newer"
    elif isinstance(error, JetStreamOffError):
        cure = "start nats-server with JetStream (-js, and a store_dir with room), for this account too"
        return Finding("JetStream", Verdict.BAD, str(error), cure)
    return Finding("bus", Verdict.BAD, str(error), cure)


def judge_token(facts: TokenFacts | None, now: datetime, refusal: Refusal | None, *, is_proven: bool) -> Finding:
    """`facts` None: it cannot be read as a JWT; `is_proven`: the API has believed it."""
    anew = "`rota token --tenant … --scope …` on the server's machine, then set ROTA_TOKEN"
    detail = _told(facts, is_proven=is_proven)
    refused = f"{refusal.status}: {refusal.detail}; {detail}" if refusal else detail
    if facts is None:
        return Finding("token", Verdict.BAD, refused, f"take the one that `rota up` prints, or {anew}")
    if facts.expires is not None and facts.expires <= now:
        return Finding("token", Verdict.BAD, refused, f"it has expired: {anew}")
    if refusal is not None and refusal.status == 403:
        cure = f"the token needs the scope scheduler:read, and must name its tenant: {anew}"
        return Finding("token", Verdict.BAD, refused, cure)
    if refusal is not None:
        cure = (
            f"this server's key did not sign it (another data directory's?): take what its `rota up` prints, or {anew}"
        )
        return Finding("token", Verdict.BAD, refused, cure)
    if not set(facts.scopes) & set(SCOPES):
        return Finding("token", Verdict.WARNING, detail, f"it has no scope that Rota knows: {anew}")
    if facts.expires is not None and facts.expires - now < SOON:
        return Finding("token", Verdict.WARNING, detail, f"it expires soon: {anew}")
    return Finding("token", Verdict.OK, detail)


def _told(facts: TokenFacts | None, *, is_proven: bool) -> str:
    if facts is None:
        return "ROTA_TOKEN is no JWT"
    tenant = "all tenants (say --tenant)" if facts.tenant == ANY_TENANT else f"tenant {facts.tenant or 'not said'}"
    until = f"until {facts.expires.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if facts.expires else "for ever"
    return f"{tenant}, {' '.join(facts.scopes) or 'no scope'}, {until}" + ("" if is_proven else " (as it says itself)")


_CURES = {
    "leader": "start a server with the role leader; in its log, lease_not_renewed tells why none leads",
    "relay": "start a server with the role relay; if it runs, the bus does not take the events: see streams",
    "workers": "start a worker: `rota worker module:worker`",
    "jobs": "start a worker that knows these jobs: `rota worker module:worker`",
}


def judge_health(checks: Mapping[str, Mapping[str, object]]) -> Iterator[Finding]:
    """What the server says of its own parts."""
    for name, check in checks.items():
        verdict = {"UP": Verdict.OK, "DEGRADED": Verdict.WARNING}.get(str(check["status"]), Verdict.BAD)
        cure = "" if verdict is Verdict.OK else _CURES.get(name, "see the server's log")
        yield Finding(f"server's {name}", verdict, str(check.get("detail") or check["status"]), cure)
