"""docker-compose.yml names only what is there."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest
import typer.main
from tests.install.composition import read_composition, services_of_ours
from tests.install.environments import PROJECT

from rota.entrypoints.cli.app import app
from rota.entrypoints.settings import Settings
from rota.infrastructure.embedded.nats import WORKER_PERMISSIONS

OF_WORKERS = {"ROTA_URL", "ROTA_TOKEN_FILE"}


@pytest.fixture(scope="module")
def composition() -> dict[str, Any]:  # Any: YAML
    return read_composition()


def test_it_follows_the_compose_specification() -> None:
    schema = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    checked = subprocess.run([*schema, "docker-compose.yml"], cwd=PROJECT, capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stdout


def test_it_has_two_servers_and_what_they_stand_on(composition: dict[str, Any]) -> None:
    assert set(composition["services"]) == {"postgres", "nats", "migrate", "server-1", "server-2", "token", "worker"}


def test_every_command_is_one_that_rota_has() -> None:
    known = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # a group's

    for name, service in services_of_ours().items():
        words = service["command"]
        asked = re.findall(r"\brota (\w+)", words[0]) if "entrypoint" in service else [words[0]]
        assert asked, name
        assert set(asked) <= known.keys(), name


def test_every_setting_is_one_that_is_read() -> None:
    for name, service in services_of_ours().items():
        given = {setting.lower() for setting in service.get("environment", {}).keys() - OF_WORKERS}
        assert given <= Settings.model_fields.keys(), name


def test_nobody_waits_for_a_health_that_is_never_told(composition: dict[str, Any]) -> None:
    services = composition["services"]
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            is_checked = not services[other].get("healthcheck", {}).get("disable", False)
            ends = services[other].get("restart") is None
            wanted = "service_healthy" if is_checked else "service_completed_successfully"
            assert how["condition"] == wanted, (name, other)
            assert ends is not is_checked, other


def test_only_this_machine_reaches_it(composition: dict[str, Any]) -> None:
    published = [port for service in composition["services"].values() for port in service.get("ports", [])]

    assert len(published) == 4
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_volumes_are_declared_and_files_are_there(composition: dict[str, Any]) -> None:
    sources = {
        volume.split(":")[0] for service in composition["services"].values() for volume in service.get("volumes", [])
    }
    files = {source for source in sources if source.startswith("./")}

    assert sources - files == composition["volumes"].keys()
    assert all((PROJECT / file).is_file() for file in files)


def test_workers_may_do_on_this_bus_what_they_may_on_the_embedded_one() -> None:
    permissions = (PROJECT / "deploy" / "nats.conf").read_text().partition("permissions:")[2]
    subjects = re.findall(r'"([^"]+)"', permissions)

    assert subjects == WORKER_PERMISSIONS["publish"]["allow"] + WORKER_PERMISSIONS["subscribe"]["allow"]
