"""Fixtures for pytest: `pytest_plugins = ["rota.testing.plugin"]` in the topmost conftest.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rota.testing.embedded import EmbeddedRota, embedded_rota


@pytest.fixture(scope="session")
def rota_server() -> Iterator[EmbeddedRota]:
    """A whole Rota, started when the first test asks for it; one for all."""
    with embedded_rota() as rota:
        yield rota


@pytest.fixture
def rota_tenant(rota_server: EmbeddedRota) -> EmbeddedRota:
    """That Rota, seen from a tenant of the test's own: nothing is there yet, and nobody else is."""
    return rota_server.for_tenant()
