"""The named points at which a process under test lets itself be struck."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rota.application.ports.checkpoint import pass_by
from rota.entrypoints.faults import checkpoint
from rota.entrypoints.settings import SettingsError

PASSING = "import sys; from rota.entrypoints.faults import checkpoint; checkpoint(sys.argv[1])(sys.argv[2])"


def test_without_a_word_nothing_happens_at_any_point() -> None:
    assert checkpoint("") is pass_by


@pytest.mark.parametrize("spec", ["fire.begun", "fire.begun:explode:1", "fire.begun:kill:often"])
def test_what_cannot_be_read_is_refused(spec: str) -> None:
    with pytest.raises(SettingsError, match="ROTA_FAULT_POINTS"):
        checkpoint(spec)


def test_a_process_kills_itself_at_the_point_named() -> None:
    assert _pass("fire.begun:kill:1", "fire.begun") == -signal.SIGKILL
    assert _pass("fire.begun:kill:1", "fire.advanced") == 0
    assert _pass("fire.begun:kill:0", "fire.begun") == 0


def test_an_order_is_obeyed_where_it_says_and_is_gone_then(tmp_path: Path) -> None:
    order = tmp_path / "order"
    order.write_text("fire.begun:kill")

    assert _pass(f"@{order}", "fire.advanced") == 0
    assert order.exists()
    assert _pass(f"@{order}", "fire.begun") == -signal.SIGKILL
    assert not order.exists()


def test_without_an_order_a_process_goes_on(tmp_path: Path) -> None:
    at = checkpoint(f"@{tmp_path / 'order'}, fire.begun:kill:0")

    at("fire.begun")


def _pass(spec: str, point: str) -> int:
    return subprocess.run([sys.executable, "-c", PASSING, spec, point], check=False, timeout=30).returncode
