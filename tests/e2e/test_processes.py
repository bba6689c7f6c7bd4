"""What counts as a right end of a process under test."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from tests.e2e.nemesis.process import Process


@pytest.fixture
async def ended(tmp_path: Path) -> Process:
    process = Process("server-a", ["no-such-command"], {}, tmp_path / "log")
    process.start()
    assert await process.has_ended(30.0)
    return process


async def test_a_status_that_no_fault_explains_is_wrong_and_its_last_words_are_told(ended: Process) -> None:
    wrong = await ended.end(1.0, {-signal.SIGKILL})

    assert wrong is not None
    assert f"server-a ended with status {ended.status} after SIGTERM" in wrong
    assert "no-such-command" in wrong


async def test_a_status_that_a_fault_explains_is_right(ended: Process) -> None:
    assert ended.status is not None

    assert await ended.end(1.0, {ended.status}) is None
