"""What the doctor makes of what was found out: each fault has a cure of one line."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from tests.unit.cli.conftest import Terminal
from typer.testing import CliRunner

from rota.domain.errors import UnavailableError
from rota.entrypoints.bootstrap.diagnosis import (
    MIB,
    DiskFacts,
    Finding,
    Refusal,
    TokenFacts,
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
)
from rota.entrypoints.bootstrap.doctor import read_token
from rota.entrypoints.cli.app import app
from rota.infrastructure.nats.connection import OldServerError
from rota.infrastructure.nats.connection import StrangerError as StrangerOnBusError
from rota.infrastructure.nats.examination import BusFacts, JetStreamOffError
from rota.infrastructure.postgres.examination import DatabaseFacts, NoSuchDatabaseError
from rota.infrastructure.postgres.examination import StrangerError as StrangerInDatabaseError

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOTHING = timedelta(0)
DATABASE = DatabaseFacts(
    version="18.1", size=12 * MIB, is_writable=True, revision="0008", newest_revision="0008", ahead=NOTHING
)
BUS = BusFacts(version="2.15.1", stored=5 * MIB, most_stored=None, fullness={"ROTA_WORK": 0.1}, drift={}, ahead=NOTHING)
TOKEN = TokenFacts(tenant="acme", scopes=("scheduler:admin",), expires=NOW + timedelta(days=30))


def wrong(findings: list[Finding]) -> dict[str, tuple[str, str]]:
    """Verdict and cure of what is not well, by what it is about."""
    found = {each.about: (str(each.verdict), each.cure) for each in findings if each.verdict != "OK"}
    assert all(cure and "\n" not in cure for _, cure in found.values())
    return found


def verdict(finding: Finding) -> str:
    assert bool(finding.cure) == (finding.verdict != "OK")
    return str(finding.verdict)


def test_where_nothing_is_wrong_there_is_no_cure() -> None:
    findings = [
        judge_versions("3.11.7", {"rota": "1"}),
        judge_tz_data("2026a", "2026a"),
        judge_disk(DiskFacts(Path("/data"), 10_000 * MIB)),
        *judge_database("db/rota", DATABASE),
        *judge_bus("bus:4222", BUS),
        judge_token(TOKEN, NOW, None, is_proven=True),
        *judge_health({"leader": {"status": "UP", "detail": ""}}),
    ]

    assert {verdict(each) for each in findings} == {"OK"}
    assert len({each.about for each in findings}) == len(findings)


def test_a_library_that_is_missing_is_named() -> None:
    finding = judge_versions("3.11.7", {"rota": "1", "faststream": None})

    assert (verdict(finding), "missing: faststream" in finding.detail) == ("BAD", True)


@pytest.mark.parametrize(("machines", "expected"), [("2025b", "OK"), (None, "OK"), ("2026c", "WARNING")])
def test_time_zone_data_is_of_concern_where_the_machines_is_newer(machines: str | None, expected: str) -> None:
    assert verdict(judge_tz_data("2026a", machines)) == expected


@pytest.mark.parametrize(("free", "expected"), [(100 * MIB, "BAD"), (1000 * MIB, "WARNING"), (3000 * MIB, "OK")])
def test_a_disk_is_judged_by_what_is_free(free: int, expected: str) -> None:
    assert verdict(judge_disk(DiskFacts(Path("/data"), free))) == expected


def test_a_disk_may_be_closed_to_new_files_with_room_on_it() -> None:
    no_more_files = judge_disk(DiskFacts(Path("/data"), 9000 * MIB, nodes=0))
    read_only = judge_disk(DiskFacts(Path("/data"), 9000 * MIB, is_writable=False))

    assert (verdict(no_more_files), verdict(read_only)) == ("BAD", "BAD")
    assert "inodes" in no_more_files.cure


@pytest.mark.parametrize(("seconds", "expected"), [(0.5, "OK"), (-3, "WARNING"), (7200, "BAD"), (-7200, "BAD")])
def test_a_clock_is_judged_by_how_far_it_is_off(seconds: float, expected: str) -> None:
    finding = judge_clock("database", timedelta(seconds=seconds))

    assert verdict(finding) == expected
    assert ("behind" if seconds < 0 else "ahead of") in finding.detail


def test_a_clock_that_tells_whole_seconds_is_not_blamed_for_one() -> None:
    assert verdict(judge_clock("API", timedelta(seconds=1.5), fineness=timedelta(seconds=1))) == "OK"


class TestDatabase:
    def test_one_that_takes_no_writes(self) -> None:
        assert wrong(list(judge_database("db", replace(DATABASE, is_writable=False))))["database"][0] == "BAD"

    def test_one_that_is_too_old(self) -> None:
        assert "upgrade" in wrong(list(judge_database("db", replace(DATABASE, version="13.4"))))["database"][1]

    @pytest.mark.parametrize("revision", [None, "0007"])
    def test_one_whose_schema_is_missing_or_old(self, revision: str | None) -> None:
        found = wrong(list(judge_database("db", replace(DATABASE, revision=revision))))

        assert found == {"schema": ("BAD", "run `rota migrate`")}

    def test_why_it_cannot_be_asked_leads_to_what_helps(self) -> None:
        errors = (UnavailableError("refused"), StrangerInDatabaseError("password"), NoSuchDatabaseError("rota"))

        cures = [judge_database_away("db", error).cure for error in errors]

        assert ["start it" in cures[0], "password" in cures[1], "create it" in cures[2]] == [True] * 3


class TestBus:
    def test_a_stream_that_differs(self) -> None:
        found = wrong(list(judge_bus("bus", replace(BUS, drift={"ROTA_EVENTS": "max_age is 1, not 2"}))))

        assert found["streams"][0] == "WARNING"

    @pytest.mark.parametrize(("share", "expected"), [(0.85, "WARNING"), (0.99, "BAD")])
    def test_a_stream_that_fills_up(self, share: float, expected: str) -> None:
        assert wrong(list(judge_bus("bus", replace(BUS, fullness={"ROTA_WORK": share}))))["JetStream"][0] == expected

    def test_an_account_that_may_store_no_more(self) -> None:
        assert wrong(list(judge_bus("bus", replace(BUS, most_stored=5 * MIB))))["JetStream"][0] == "BAD"

    def test_why_it_cannot_be_asked_leads_to_what_helps(self) -> None:
        errors = (UnavailableError("away"), StrangerOnBusError("no"), OldServerError("2.9"), JetStreamOffError("off"))

        findings = [judge_bus_away(error) for error in errors]

        cures = [each.cure for each in findings]
        assert ["start it" in cures[0], "password" in cures[1], "2.12" in cures[2], "-js" in cures[3]] == [True] * 4
        assert findings[3].about == "JetStream"


class TestToken:
    @pytest.mark.parametrize(
        ("facts", "refusal", "expected", "cure"),
        [
            (None, Refusal(401, "not a JWT"), "BAD", "take the one that `rota up` prints"),
            (replace(TOKEN, expires=NOW - timedelta(seconds=1)), Refusal(401, "expired"), "BAD", "it has expired"),
            (TOKEN, Refusal(401, "signed by another key"), "BAD", "this server's key did not sign it"),
            (TOKEN, Refusal(403, "no scope"), "BAD", "scheduler:read"),
            (replace(TOKEN, scopes=("profile",)), None, "WARNING", "no scope that Rota knows"),
            (replace(TOKEN, expires=NOW + timedelta(hours=1)), None, "WARNING", "it expires soon"),
        ],
    )
    def test_what_is_wrong_with_it_leads_to_what_helps(
        self, facts: TokenFacts | None, refusal: Refusal | None, expected: str, cure: str
    ) -> None:
        finding = judge_token(facts, NOW, refusal, is_proven=refusal is None)

        assert (verdict(finding), cure in finding.cure) == (expected, True)

    def test_one_of_all_tenants_must_name_one_with_each_call(self) -> None:
        assert "say --tenant" in judge_token(replace(TOKEN, tenant="*"), NOW, None, is_proven=True).detail

    @pytest.mark.parametrize("token", ["", "nonsense", "a.b.c", "a.e30=.c", "a.W10.c", "a.eyJleHAiOiJ4In0.c"])
    def test_whatever_it_is_it_can_be_looked_at(self, token: str) -> None:
        assert read_token(token, "tenant") in (None, TokenFacts("", (), None))


def test_what_a_server_says_of_its_parts_has_a_cure_too() -> None:
    found = wrong(
        list(judge_health({"jobs": {"status": "DEGRADED", "detail": "1 waits"}, "leader": {"status": "DOWN"}}))
    )

    assert {about: verdict for about, (verdict, _) in found.items()} == {
        "server's jobs": "WARNING", "server's leader": "BAD",
    }  # fmt: skip


class TestCommand:
    """As it is typed, with nothing there but an API, or nothing at all."""

    BLANK = dict.fromkeys(("ROTA_URL", "ROTA_TOKEN", "POSTGRES_URL", "NATS_URL"), "")

    def test_what_it_was_not_told_of_it_has_not_looked_at(self, tmp_path: Path) -> None:
        told = CliRunner().invoke(app, ["doctor", "--json", "--data-dir", str(tmp_path)], env=self.BLANK)

        findings = {each["about"]: each for each in orjson.loads(told.stdout)}
        assert told.exit_code == 0
        for name, setting in (("database", "POSTGRES_URL"), ("bus", "NATS_URL"), ("API", "ROTA_URL")):
            assert findings[name]["verdict"] == "WARNING"
            assert findings[name]["detail"] == f"not looked at: {setting} is not set"
            assert setting in findings[name]["cure"]

    async def test_an_api_alone_is_looked_at(self, terminal: Terminal, tmp_path: Path) -> None:
        words = ("doctor", "--data-dir", str(tmp_path))

        told = await terminal.run(*words, POSTGRES_URL="", NATS_URL="")
        without = await terminal.run(*words, "--json", POSTGRES_URL="", NATS_URL="", ROTA_TOKEN="")

        assert "API" in told.stdout
        assert "ROTA_TOKEN is not set" in without.stdout

    async def test_a_token_may_be_in_a_file(self, terminal: Terminal, tmp_path: Path) -> None:
        (tmp_path / "token").write_text(terminal.token)
        known = {"POSTGRES_URL": "", "NATS_URL": "", "ROTA_TOKEN": "", "ROTA_TOKEN_FILE": str(tmp_path / "token")}

        told = await terminal.run("doctor", "--json", "--data-dir", str(tmp_path), **known)

        assert "ROTA_TOKEN is not set" not in told.stdout

    async def test_a_stranger_is_shown_no_token(self, tmp_path: Path) -> None:
        asked: list[bytes] = []

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>")
            writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as stranger:
            url = f"http://127.0.0.1:{stranger.sockets[0].getsockname()[1]}"
            words = ["doctor", "--json", "--data-dir", str(tmp_path), "--url", url, "--token", "secret"]
            told = await asyncio.to_thread(CliRunner().invoke, app, words, env=self.BLANK)

        (finding,) = (each for each in orjson.loads(told.stdout) if each["about"] == "API")
        assert (told.exit_code, finding["verdict"], len(asked)) == (1, "BAD", 1)
        assert b"secret" not in asked[0]
