"""The image, as far as it can be known without a container engine: each thing that it is made of, and how it starts."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tests.install.environments import PROJECT, closure
from tests.install.image import Stage, locked, read_stages

from rota.entrypoints.settings import Settings

BROUGHT_BY_PYTHON = {"PATH"}
IN_THE_IMAGE = ("server", "rabbit", "redis", "kafka")


@pytest.fixture(scope="module")
def build() -> Stage:
    return read_stages()[0]


@pytest.fixture(scope="module")
def final() -> Stage:
    return read_stages()[-1]


def test_both_stages_stand_on_the_same_slim_python(build: Stage, final: Stage) -> None:
    assert build.base == final.base == "python:${PYTHON}-slim"


def test_what_is_copied_is_there_and_not_ignored(build: Stage) -> None:
    let_through = {line[1:] for line in _ignore_file() if line.startswith("!")}
    copied = {source for line in build.all("COPY") for source in line.split()[:-1]}

    assert "*" in _ignore_file()
    assert copied == let_through
    assert all((PROJECT / source).exists() for source in copied)


def test_the_image_gets_nothing_but_the_finished_environment(final: Stage) -> None:
    assert final.all("COPY") == ["--from=build /opt/rota /opt/rota"]
    assert not re.search(r"\b(apt|apt-get|pip|gcc|curl)\b", " ".join(final.all("RUN")))


def test_it_runs_as_a_user_of_its_own_who_owns_the_data(final: Stage) -> None:
    made = " ".join(final.all("RUN"))

    assert final.one("USER") == "10001:10001"
    assert "useradd --uid 10001 --gid 10001" in made
    assert re.search(r"install --directory --owner=rota --group=rota .*/data\b", made)
    assert final.one("VOLUME") == final.variables["ROTA_DATA_DIR"] == "/data"


def test_it_starts_a_server_on_the_port_that_is_said(final: Stage) -> None:
    assert [*final.listed("ENTRYPOINT"), *final.listed("CMD")] == ["rota", "serve"]
    assert final.one("EXPOSE") == final.variables["PORT"]
    assert final.one("STOPSIGNAL") == "SIGTERM"
    assert {name.lower() for name in final.variables.keys() - BROUGHT_BY_PYTHON} <= Settings.model_fields.keys()


def test_every_package_is_one_that_is_tested_here_and_known_by_its_hash() -> None:
    tested = locked("requirements.lock")

    for name in ("deploy/server.lock", "deploy/build.lock"):
        for pin, hashes in locked(name).items():
            assert hashes, pin
            assert hashes == tested[pin], pin


def test_the_image_s_packages_are_those_that_servers_need(wheel: Path) -> None:
    needed = {f"{name}=={found.version}" for name, found in closure(wheel, IN_THE_IMAGE).items()}

    for_other_machines = {pin.partition("==")[0] for pin in locked("deploy/server.lock").keys() - needed}

    assert needed <= locked("deploy/server.lock").keys()
    assert for_other_machines <= {"colorama", "async-timeout"}


def test_the_wheel_is_built_by_what_the_project_asks_for() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    (wanted,) = (Requirement(each) for each in project["build-system"]["requires"])
    ((name, version),) = (pin.split("==") for pin in locked("deploy/build.lock"))

    assert canonicalize_name(wanted.name) == name
    assert version in wanted.specifier


def _ignore_file() -> list[str]:
    return [line for line in (PROJECT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
