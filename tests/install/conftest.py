from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest
from tests.install.environments import SERVER, Environment, build_wheel, make_environment


@pytest.fixture(scope="session")
def place() -> Iterator[Path]:
    """Outside of the project; open to others, since Postgres runs as somebody else where the tests run as root."""
    directory = Path(mkdtemp(prefix="rota-install-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def wheel(place: Path) -> Path:
    return build_wheel(place / "build")


@pytest.fixture(scope="session")
def plain(place: Path, wheel: Path) -> Environment:
    """With `rota`: what workers and callers need."""
    return make_environment(place / "plain", wheel, ())


@pytest.fixture(scope="session")
def server(place: Path, wheel: Path) -> Environment:
    """With `rota[server]`."""
    return make_environment(place / "server", wheel, SERVER)
