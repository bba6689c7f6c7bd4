"""The application in memory, a fresh one for each test."""

from __future__ import annotations

import pytest
from tests.unit.application.house import House


@pytest.fixture
async def house() -> House:
    return House()
