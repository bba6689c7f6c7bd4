"""The wheel in environments of its own: what one gets who installs it.

Each is an empty virtual environment. pip installs the wheel there; the libraries are links to those that the tests run
with, of just the distributions that the wheel's metadata asks for. So it is shown that the wheel runs away from the
checkout, and that its lists of dependencies are whole; not that an index delivers them, which `make setup` shows, nor
that other versions than the locked ones do.
"""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.e2e.test_up import PATIENCE, Json, await_true
from tests.install.environments import Environment

SERVER_COMMANDS = [
    ("up",),
    ("demo",),
    ("serve",),
    ("migrate",),
    ("token", "--tenant", "acme", "--scope", "scheduler:read"),
    ("doctor",),
]


class Up:
    """`rota up` of that environment, in an empty directory."""

    def __init__(self, environment: Environment, place: Path) -> None:
        self.directory = place / "up"
        self.directory.mkdir()
        ready = self.directory / "ready.json"
        self.out = place / "up.log"
        arguments = ("--port", "0", "--data-dir", "data", "--ready-file", str(ready))
        with self.out.open("wb") as out:
            self.process = subprocess.Popen(
                environment.command("up", *arguments),
                cwd=self.directory,
                env=environment.variables(),
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        await_true(lambda: ready.exists() or self.process.poll() is not None)
        assert self.process.poll() is None, self.out.read_text()
        self.ready: Json = json.loads(ready.read_text())
        self.caller = {"ROTA_URL": self.ready["url"], "ROTA_TOKEN": self.ready["token"]}

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE)


@pytest.fixture(scope="module")
def up(server: Environment, place: Path) -> Iterator[Up]:
    up = Up(server, place)
    yield up
    if up.process.poll() is None:
        up.interrupt()


def test_it_is_the_wheel_s_code_that_runs(server: Environment, plain: Environment, tmp_path: Path) -> None:
    for environment in (server, plain):
        found = Path(environment.evaluates("rota.__file__", tmp_path))
        assert found.is_relative_to(environment.bin.parent)
        assert not found.is_symlink()


@pytest.mark.parametrize("words", SERVER_COMMANDS, ids=lambda words: words[0])
def test_a_plain_install_says_what_a_server_s_command_needs(
    plain: Environment, tmp_path: Path, words: tuple[str, ...]
) -> None:
    ended = plain.runs(*words, cwd=tmp_path)

    assert ended.returncode == 1
    assert "rota: this command needs what servers need" in ended.stderr
    assert ended.stderr.rstrip().endswith("pip install 'rota[server]'")
    assert "Traceback" not in ended.stderr


def test_a_schedule_fires_on_what_the_wheel_alone_started(up: Up) -> None:
    headers = {"Authorization": f"Bearer {up.ready['token']}"}
    schedule = {
        "name": "tick",
        "tz": "UTC",
        "trigger": {"type": "CRON", "cron": "* * * * * *"},
        "target": {"kind": "EVENT", "eventTopic": "ticks"},
    }

    with httpx.Client(base_url=f"{up.ready['url']}/api/v1", headers=headers) as api:
        made = api.post("/schedules", json=schedule)
        assert made.status_code == 201, made.text
        await_true(lambda: api.get("/runs", params={"state": "SUCCEEDED"}).json()["items"])


def test_a_plain_install_carries_runs_out_and_asks_for_them(up: Up, plain: Environment, tmp_path: Path) -> None:
    (tmp_path / "hello.py").write_text(
        "from rota import Worker\n"
        "worker = Worker()\n"
        "@worker.job('hello')\n"
        "def hello(ctx, payload):\n"
        "    return f'hello, {payload}'\n"
    )
    (tmp_path / "job.yaml").write_text("name: hello\n")
    assert plain.runs("jobs", "create", "job.yaml", cwd=tmp_path, **up.caller).returncode == 0
    headers = {"Authorization": f"Bearer {up.ready['token']}"}

    with (
        httpx.Client(base_url=f"{up.ready['url']}/api/v1", headers=headers) as api,
        subprocess.Popen(
            plain.command("worker", "hello:worker"), cwd=tmp_path, env=plain.variables(**up.caller)
        ) as worker,
    ):
        run = api.post("/runs", json={"job": "hello", "payload": "world"}).json()
        try:
            await_true(lambda: api.get(f"/runs/{run['id']}").json()["state"] == "SUCCEEDED")
        finally:
            worker.terminate()

    assert worker.returncode == 0
    shown = plain.runs("runs", "show", run["id"], cwd=tmp_path, **up.caller)
    assert "hello, world" in shown.stdout, shown.stderr
    for listing in ("schedules", "jobs", "workers", "calendars"):
        listed = plain.runs(listing, "list", cwd=tmp_path, **up.caller)
        assert (listed.returncode, listed.stderr) == (0, "")


def test_ctrl_c_ends_it_cleanly_and_leaves_only_its_data(up: Up) -> None:
    assert up.interrupt() == 0

    assert "Traceback" not in up.out.read_text()
    assert {each.name for each in up.directory.iterdir()} == {"data", "ready.json"}
