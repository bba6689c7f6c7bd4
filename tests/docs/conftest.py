"""One `rota up` for all pages; each page is a tenant of its own, so that none sees another's schedules."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.docs.pages import ROOT, Page
from tests.docs.playing import Play, a_play
from tests.e2e.test_up import Up, a_directory, an_up, environment

from rota.application.ports.tokens import SCOPES
from rota.entrypoints.bootstrap.tokens import issue_token
from rota.entrypoints.settings import Settings

YEAR = 365 * 86_400


@pytest.fixture(scope="session")
def service() -> Iterator[Up]:
    with a_directory() as directory, an_up(directory) as up:
        yield up


@dataclass(frozen=True, slots=True)
class Building:
    """A build of the site, which may still go on."""

    site: Path
    process: subprocess.Popen[str]


@pytest.fixture(scope="session", autouse=True)
def building(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Building]:
    """Begun first, for it takes a while; where it asks for anything outside, nobody answers."""
    site = tmp_path_factory.mktemp("site")
    nobody = "http://127.0.0.1:9"
    process = subprocess.Popen(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(site)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1", "HTTPS_PROXY": nobody, "HTTP_PROXY": nobody},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    yield Building(site, process)
    process.kill()
    process.communicate()


@pytest.fixture
def play(service: Up, tmp_path: Path) -> Iterator[Callable[[Page], Play]]:
    """Gives the play of a page, in the surroundings that its first commands leave a reader with: those of README, or of deploys."""
    with ExitStack() as stack:
        yield lambda page: stack.enter_context(a_play(tmp_path, _surroundings(service, page, tmp_path)))


def _surroundings(service: Up, page: Page, directory: Path) -> dict[str, str]:
    (directory / ".venv").symlink_to(sys.prefix)
    tenant = "docs-" + re.sub(r"[^a-z0-9]", "-", page.name.lower())
    known = environment(
        ROTA_URL=service.ready["url"],
        ROTA_TOKEN=issue_token(service.data_dir, Settings(), tenant, SCOPES, YEAR),
        ROTA_DATA_DIR=str(service.data_dir),
        NATS_URL=service.ready["natsUrl"],
        POSTGRES_URL=service.ready["postgresUrl"],
        LOG_FORMAT="console",
        COLUMNS="200",
        PYTHONPATH=f"{ROOT / 'lib'}",
        PORT=str(_free_port()),
    )
    return known | {"PATH": f"{Path(sys.prefix) / 'bin'}:{known['PATH']}"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
