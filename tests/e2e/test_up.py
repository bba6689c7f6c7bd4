"""`rota up` and its neighbours as a user has them: processes, files, signals, and lines of text."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from rota.entrypoints.bootstrap.diagnosis import Finding
from rota.entrypoints.bootstrap.doctor import Patient, examine
from rota.entrypoints.settings import Settings
from rota.infrastructure.tokens.own import SigningKey

LEASH = Path(__file__).parent / "nemesis" / "leash.py"
PATIENCE = 30.0
LOOK_EVERY = 0.02

OWN_NAMES = ("PORT", "HOST", "POSTGRES_URL", "NATS_URL", "JWKS_URL", "LOG_LEVEL", "LOG_FORMAT")
SERVER_LIBRARIES = {
    "alembic", "asyncpg", "croniter", "dateutil", "fastapi", "faststream", "holidays", "httpx", "joserfc", "nats",
    "orjson", "pydantic_settings", "sqlalchemy", "starlette", "structlog", "uvicorn", "uvloop",
}  # fmt: skip # not pydantic: typer loads it itself

Json = dict[str, Any]  # Any: JSON


def command(*arguments: str) -> list[str]:
    """On a leash: it is killed if the tests are."""
    rota = [sys.executable, "-m", "rota.entrypoints.cli", *arguments]
    return [sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), *rota]


def environment(**given: str) -> dict[str, str]:
    """This one, without the settings that somebody may have made for themselves."""
    kept = {name: value for name, value in os.environ.items() if name not in OWN_NAMES and not name.startswith("ROTA_")}
    return kept | given


def rota(*arguments: str, cwd: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """The command, run to its end, which must come soon."""
    return subprocess.run(
        command(*arguments),
        cwd=cwd,
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=PATIENCE / 2,
        check=False,
    )


def await_true(look: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not look():
        assert time.monotonic() < deadline, "it has not come true in time"
        time.sleep(LOOK_EVERY)


class Up:
    """One life of `rota up` on a data directory."""

    def __init__(self, directory: Path) -> None:
        self.ready_file = directory / "ready.json"
        self.ready_file.unlink(missing_ok=True)
        self.data_dir = directory / "data"
        self.out = directory / "out.log"
        arguments = ("--port", "0", "--data-dir", str(self.data_dir), "--ready-file", str(self.ready_file))
        with self.out.open("wb") as out:
            self.process = subprocess.Popen(
                command("up", *arguments),
                cwd=directory,
                env=environment(),
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until_ready(self) -> None:
        await_true(lambda: self.ready_file.exists() or self.process.poll() is not None)
        assert self.process.poll() is None, self.out.read_text()
        self.ready: Json = json.loads(self.ready_file.read_text())
        self.http = httpx.Client(
            base_url=f"{self.ready['url']}/api/v1", headers={"Authorization": f"Bearer {self.ready['token']}"}
        )

    def family(self) -> list[psutil.Process]:
        """The servers that it started, and theirs."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self) -> None:
        if hasattr(self, "http"):
            self.http.close()
        if self.process.poll() is None:
            family = self.family()
            self.process.kill()
            self.process.wait(PATIENCE)
            await_true(lambda: are_gone(family))

    # What a user asks of it

    def post(self, path: str, body: Json | None = None) -> Json:
        return self._answer(self.http.post(path, json=body or {}))

    def patch(self, path: str, body: Json) -> Json:
        return self._answer(self.http.patch(path, json=body))

    def get(self, path: str, **params: str | int) -> Json:
        return self._answer(self.http.get(path, params=params))

    def a_job(self, name: str = "reports.daily") -> str:
        self.post("/jobs", {"name": name})
        return name

    def a_schedule(self, name: str, trigger: Json, job: str, **more: object) -> Json:
        target = {"kind": "JOB", "job": job}
        return self.post("/schedules", {"name": name, "trigger": trigger, "target": target, "tz": "UTC", **more})

    def runs_of(self, schedule: Json) -> list[Json]:
        runs: list[Json] = []
        cursor: dict[str, str | int] = {}
        while True:
            page = self.get("/runs", scheduleId=schedule["id"], limit=200, **cursor)
            runs += page["items"]
            if page["nextCursor"] is None:
                return runs
            cursor = {"cursor": page["nextCursor"]}

    def _answer(self, response: httpx.Response) -> Json:
        assert response.is_success, response.text
        answer: Json = response.json()
        return answer


@contextmanager
def a_directory() -> Iterator[Path]:
    """Open to other users: as root, Postgres runs as somebody else."""
    directory = Path(mkdtemp(prefix="rota-up-"))
    directory.chmod(0o755)
    yield directory
    rmtree(directory)


@contextmanager
def an_up(directory: Path) -> Iterator[Up]:
    up = Up(directory)
    try:
        up.wait_until_ready()
        yield up
    finally:
        up.end()


@pytest.fixture
def directory() -> Iterator[Path]:
    with a_directory() as directory:
        yield directory


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    """One for all tests that do not end it."""
    with a_directory() as directory, an_up(directory) as up:
        yield up


def are_gone(processes: list[psutil.Process]) -> bool:
    return not any(is_alive(process) for process in processes)


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def one_line(text: str) -> str:
    (line,) = text.splitlines()
    return line


def what_is_bad(up: Up, token: str = "") -> dict[str, Finding]:
    """As the doctor finds it, by what it is about; the disk is the machine's own affair."""
    patient = Patient.of(Settings(), up.data_dir, str(up.ready["url"]), token)
    findings = asyncio.run(examine(patient))
    return {each.about: each for each in findings if each.verdict == "BAD" and each.about != "disk"}


class TestReady:
    def test_the_ready_file_says_all_that_is_needed_to_its_owner_only(self, up: Up) -> None:
        assert set(up.ready) == {"url", "token", "tenant", "natsUrl", "postgresUrl", "pid"}
        assert (up.ready["tenant"], up.ready["pid"]) == ("default", up.process.pid)
        assert up.ready_file.stat().st_mode & 0o777 == 0o600
        addresses = [urlsplit(up.ready[name]) for name in ("natsUrl", "postgresUrl")]
        assert [address.scheme for address in addresses] == ["nats", "postgresql"]
        assert all(address.username and address.password and address.port for address in addresses)

    def test_by_then_it_is_ready(self, up: Up) -> None:
        with httpx.Client(base_url=up.ready["url"]) as anybody:
            assert anybody.get("/ready").status_code == 200
            assert anybody.get("/live").status_code == 200
        assert up.get("/jobs", limit=1)["items"] is not None

    def test_it_tells_its_user_how_to_reach_it(self, up: Up) -> None:
        told = up.out.read_text()

        for name, value in (("ROTA_URL", "url"), ("ROTA_TOKEN", "token"), ("NATS_URL", "natsUrl")):
            assert f"export {name}={up.ready[value]}\n" in told

    def test_a_second_one_on_the_same_data_is_refused_in_one_line(self, up: Up) -> None:
        refused = rota("up", "--port", "0", "--data-dir", str(up.data_dir), cwd=up.data_dir.parent)

        assert refused.returncode == 1
        assert "in use by another process" in one_line(refused.stderr)
        assert up.get("/jobs")["items"] is not None

    def test_a_port_that_is_taken_is_refused_in_one_line_and_leaves_nothing_running(
        self, up: Up, directory: Path
    ) -> None:
        port = str(urlsplit(up.ready["url"]).port)

        refused = rota("up", "--port", port, "--data-dir", str(directory / "data"), cwd=directory)

        assert refused.returncode == 1
        assert port in one_line(refused.stderr)
        assert [each for each in psutil.process_iter(["cmdline"]) if str(directory) in str(each.info["cmdline"])] == []


class TestItsEnd:
    @pytest.mark.parametrize("how", ["Ctrl-C", "SIGTERM"])
    def test_in_order_stops_all_that_it_started(self, directory: Path, how: str) -> None:
        with an_up(directory) as up:
            family = up.family()
            assert {process.name() for process in family} == {"postgres", "nats-server"}

            if how == "Ctrl-C":  # a terminal sends it to the whole group
                os.killpg(up.process.pid, signal.SIGINT)
            else:
                up.process.terminate()

            assert up.process.wait(PATIENCE) == 0
            assert are_gone(family)
            assert "Traceback" not in up.out.read_text()
            assert list(what_is_bad(up)) == ["database", "bus", "API"]

    def test_by_kill_9_leaves_no_orphans_and_the_next_start_goes_on_with_every_due_time(self, directory: Path) -> None:
        """The one schedule runs all that fell due in between, the other records what it does not run."""
        with an_up(directory) as up:
            job = up.a_job()
            each_second = {"type": "FIXED_RATE", "everySec": 1}
            patient = up.a_schedule("patient", each_second, job)
            strict = up.a_schedule("strict", each_second, job, misfire={"policy": "SKIP", "graceSec": 0.5})
            await_true(lambda: up.runs_of(patient) and up.runs_of(strict))
            family = up.family()

            up.process.kill()

            up.process.wait(PATIENCE)
            await_true(lambda: are_gone(family))
            killed_at = datetime.now(UTC)

        await_true(lambda: datetime.now(UTC) > killed_at + timedelta(seconds=2))
        with an_up(directory) as again:
            back_at = datetime.now(UTC)
            for schedule in (patient, strict):
                await_true(partial(has_run_since, again, schedule, back_at))
            ended = {each["id"]: again.post(f"/schedules/{each['id']}/disable") for each in (patient, strict)}
            runs = {each["id"]: again.runs_of(each) for each in (patient, strict)}
            misses = {each["id"]: again.get(f"/schedules/{each['id']}/misses")["items"] for each in (patient, strict)}

        for schedule in (patient, strict):
            own_runs, own_misses = runs[schedule["id"]], misses[schedule["id"]]
            due = due_times(schedule, until=instant(ended[schedule["id"]]["updatedAt"]))
            missed = [each for miss in own_misses for each in due if is_covered(each, miss)]
            assert sorted([instant(run["scheduledFor"]) for run in own_runs] + missed) == due
            assert len(missed) == sum(miss["count"] for miss in own_misses)
            assert all(instant(run["firedAt"]) >= instant(run["dueAt"]) for run in own_runs)
        assert misses[patient["id"]] == []
        assert misses[strict["id"]] != []


def is_covered(due: datetime, miss: Json) -> bool:
    return instant(miss["first"]) <= due <= instant(miss["last"])


def has_run_since(up: Up, schedule: Json, moment: datetime) -> bool:
    return any(instant(run["scheduledFor"]) > moment for run in up.runs_of(schedule))


def due_times(schedule: Json, until: datetime) -> list[datetime]:
    """Each second from the creation on."""
    created = instant(schedule["createdAt"])
    return [created + n * timedelta(seconds=1) for n in range(int((until - created).total_seconds()) + 1)]


class TestTakingEffect:
    def test_created_changed_or_enabled_a_schedule_does_not_wait_for_the_next_look(self, up: Up) -> None:
        """The leader looks by itself every half second; whatever is stored wakes it, and that is faster.

        How much faster is measured in `benchmarks/`. Here twelve due times, each due when it was stored: were the
        leader not woken, less than a third of them would fire within 150 ms, and ten of twelve once in 5,000 tries.
        """
        job = up.a_job("quick")
        past = {"type": "ONE_SHOT", "startAt": (datetime.now(UTC) - timedelta(seconds=5)).isoformat()}
        far = {"type": "ONE_SHOT", "startAt": "2099-01-01T00:00:00Z"}
        waits = []

        for n in range(4):
            created = up.a_schedule(f"created {n}", past, job)
            waits.append(self.fired(up, created) - instant(created["createdAt"]))
            changed = up.patch(f"/schedules/{up.a_schedule(f'changed {n}', far, job)['id']}", {"trigger": past})
            waits.append(self.fired(up, changed) - instant(changed["updatedAt"]))
            enabled = up.post(f"/schedules/{up.a_schedule(f'enabled {n}', past, job, enabled=False)['id']}/enable")
            waits.append(self.fired(up, enabled) - instant(enabled["updatedAt"]))

        assert sum(wait < timedelta(milliseconds=150) for wait in waits) >= 10, waits

    def fired(self, up: Up, schedule: Json) -> datetime:
        await_true(lambda: up.runs_of(schedule))
        (run,) = up.runs_of(schedule)
        return instant(run["firedAt"])


class TestABadSetting:
    @pytest.mark.parametrize(
        ("settings", "named"),
        [
            ({"PORT": "abc"}, "PORT"),
            ({"LOG_LEVEL": "LOUD"}, "LOG_LEVEL"),
            ({"ROTA_ELECTION": "maybe"}, "ROTA_ELECTION"),
            ({"DEFAULT_TZ": "Mars/Olympus"}, "DEFAULT_TZ"),
        ],
        ids=lambda given: "" if isinstance(given, str) else "=".join(*given.items()),
    )
    def test_stops_the_start_with_one_line_that_names_it(
        self, tmp_path: Path, settings: Mapping[str, str], named: str
    ) -> None:
        """Before anything else is tried: the data directory cannot even be made."""
        (tmp_path / "file").touch()

        refused = rota("up", "--data-dir", str(tmp_path / "file" / "data"), cwd=tmp_path, **settings)

        assert (refused.returncode, refused.stdout) == (1, "")
        assert named in one_line(refused.stderr)

    def test_an_unknown_role_is_named_and_the_known_ones_are(self, tmp_path: Path) -> None:
        refused = rota("serve", "--roles", "api,boss", cwd=tmp_path)

        assert refused.returncode == 1
        assert one_line(refused.stderr) == "rota: --roles: boss; known are api, leader, relay, reports, targets"

    @pytest.mark.parametrize("arguments", [["serve"], ["migrate"]], ids=" ".join)
    def test_a_database_that_is_not_named_is_asked_for(self, tmp_path: Path, arguments: list[str]) -> None:
        refused = rota(*arguments, cwd=tmp_path)

        assert refused.returncode == 1
        assert "POSTGRES_URL" in one_line(refused.stderr)

    def test_so_is_a_bus(self, up: Up, tmp_path: Path) -> None:
        refused = rota("serve", "--port", "0", cwd=tmp_path, POSTGRES_URL=up.ready["postgresUrl"])

        assert refused.returncode == 1
        assert "NATS_URL" in one_line(refused.stderr)


class TestHelp:
    def test_it_is_there(self, tmp_path: Path) -> None:
        told = rota("--help", cwd=tmp_path)

        assert told.returncode == 0
        assert told.stderr == ""
        groups = ("apply", "schedules", "jobs", "runs", "workers", "calendars", "events")
        for name in ("up", "demo", "serve", "worker", "migrate", "token", *groups):
            assert name in told.stdout

    @pytest.mark.parametrize(
        "arguments",
        [
            ["--help"],
            ["up", "--help"],
            ["events", "tail", "--help"],
            ["schedules", "list", "--help"],
            ["apply", "--help"],
        ],
        ids=" ".join,
    )
    def test_it_loads_no_server_library(self, tmp_path: Path, arguments: list[str]) -> None:
        script = (
            "import json, sys\n"
            "from rota.entrypoints.cli.app import main\n"
            f"sys.argv = ['rota', *{arguments!r}]\n"
            "try: main()\n"
            "except SystemExit: pass\n"
            "print(json.dumps(sorted(sys.modules)), file=sys.stderr)\n"
        )

        told = subprocess.run(
            [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=PATIENCE
        )

        loaded = {name.partition(".")[0] for name in json.loads(told.stderr)}
        assert loaded & SERVER_LIBRARIES == set()


class TestToken:
    def test_it_prints_only_a_token_and_the_server_believes_it(self, up: Up) -> None:
        printed = rota(
            "token", "--tenant", "acme", "--scope", "scheduler:read", "--data-dir", str(up.data_dir), cwd=up.data_dir
        )

        assert (printed.returncode, printed.stderr) == (0, "")
        headers = {"Authorization": f"Bearer {one_line(printed.stdout)}"}
        with httpx.Client(base_url=f"{up.ready['url']}/api/v1", headers=headers) as http:
            assert http.get("/schedules").json()["items"] == []
            assert http.post("/jobs", json={"name": "a"}).status_code == 403

    def test_an_unknown_scope_is_refused_in_one_line(self, tmp_path: Path) -> None:
        refused = rota("token", "--tenant", "acme", "--scope", "root", "--data-dir", str(tmp_path), cwd=tmp_path)

        assert (refused.returncode, refused.stdout) == (1, "")
        assert "root" in one_line(refused.stderr)


class TestEventsTail:
    def test_one_event_that_has_happened(self, up: Up, tmp_path: Path) -> None:
        up.a_job("told")
        asked = ("--type", "job.created", "--since", "600", "--count", "1", "--json")

        told = rota("events", "tail", *asked, cwd=tmp_path, NATS_URL=up.ready["natsUrl"])

        assert (told.returncode, told.stderr) == (0, "")
        event = json.loads(one_line(told.stdout))
        assert (event["specversion"], event["type"], event["tenantid"]) == ("1.0", "scheduler.job.created", "default")
        assert event["aggregateseq"] == 1

    def test_one_event_as_it_happens(self, up: Up, tmp_path: Path) -> None:
        """Nobody says when it has begun to listen, so something happens until it has heard."""
        asked = ("--type", "job.created", "--tenant", "default", "--count", "1", "--json")
        with subprocess.Popen(
            command("events", "tail", *asked),
            cwd=tmp_path,
            env=environment(NATS_URL=up.ready["natsUrl"]),
            stdout=subprocess.PIPE,
            text=True,
        ) as tail:
            made = 0
            deadline = time.monotonic() + PATIENCE
            while tail.poll() is None and time.monotonic() < deadline:
                made += 1
                up.a_job(f"heard {made}")
                time.sleep(0.1)  # between two jobs
            tail.kill()
            out = tail.stdout.read() if tail.stdout else ""

        assert tail.returncode == 0
        assert json.loads(one_line(out))["data"]["name"].startswith("heard ")

    @pytest.mark.parametrize("url", ["", "nats://127.0.0.1:1"])
    def test_without_a_bus_it_says_so_in_one_line(self, tmp_path: Path, url: str) -> None:
        told = rota("events", "tail", cwd=tmp_path, NATS_URL=url)

        assert told.returncode == 1
        assert "NATS_URL" in one_line(told.stderr)


@pytest.mark.timeout(120)
def test_the_demo_ends_well(tmp_path: Path) -> None:
    ended = subprocess.run(
        command("demo"), cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=100, check=False
    )

    assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-2000:]
    assert "Right." in ended.stdout


class TestDoctor:
    def test_a_service_that_is_well(self, up: Up) -> None:
        told = rota("doctor", "--data-dir", str(up.data_dir), "--json", cwd=up.data_dir, **self.access(up))

        findings = {each["about"]: each for each in json.loads(told.stdout)}
        assert told.returncode == 0
        assert {each["verdict"] for name, each in findings.items() if name not in ("disk", "server's jobs")} == {"OK"}
        assert {"versions", "tz data", "clock", "database", "schema", "bus", "streams", "API"} <= set(findings)

    def test_a_token_that_the_server_does_not_believe(self, up: Up) -> None:
        access = {**self.access(up), "ROTA_TOKEN": "nonsense"}

        told = rota("doctor", "--data-dir", str(up.data_dir), cwd=up.data_dir, **access)

        assert told.returncode == 1
        assert "→ take the one that `rota up` prints" in told.stdout

    def test_a_token_of_another_data_directory_and_one_that_has_expired(self, up: Up, tmp_path: Path) -> None:
        other, own = (SigningKey.kept_in(where) for where in (tmp_path, up.data_dir))
        stale = other.issue("default", ["scheduler:admin"], timedelta(days=1))
        expired = own.issue("default", ["scheduler:admin"], timedelta(days=1), now=time.time() - 100_000)

        stale_one, expired_one = (what_is_bad(up, token) for token in (stale, expired))

        assert [list(stale_one), list(expired_one)] == [["token"], ["token"]]
        assert "this server's key did not sign it" in stale_one["token"].cure
        assert "it has expired" in expired_one["token"].cure

    def test_nothing_runs(self, tmp_path: Path) -> None:
        nobody = {"POSTGRES_URL": "postgresql://a:b@127.0.0.1:1/c", "NATS_URL": "nats://a:b@127.0.0.1:1"}

        told = rota("doctor", "--json", cwd=tmp_path, ROTA_URL="http://127.0.0.1:1", **nobody)

        bad = {each["about"]: each for each in json.loads(told.stdout) if each["verdict"] == "BAD"}
        assert told.returncode == 1
        assert set(bad) == {"database", "bus", "API"}  # no token was said
        assert all(each["cure"] for each in bad.values())
        assert "a:b" not in told.stdout

    @staticmethod
    def access(up: Up) -> dict[str, str]:
        return {"ROTA_URL": str(up.ready["url"]), "ROTA_TOKEN": str(up.ready["token"])}
