"""An embedded Rota leaves no process behind, whatever becomes of the test that started it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from shutil import rmtree

import psutil

START_AND_WAIT = """
import json, os, sys
from pathlib import Path
from rota.testing import embedded_rota

with embedded_rota() as rota:
    print(json.dumps([rota.url, str(rota.data_dir)]), flush=True)
    sys.stdin.read()
"""


def test_it_ends_with_a_test_run_that_is_killed() -> None:
    command = [sys.executable, "-c", START_AND_WAIT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as tests:
        assert tests.stdout is not None
        url, data_dir = json.loads(tests.stdout.readline())
        started = psutil.Process(tests.pid).children(recursive=True)
        tests.kill()

    _, left = psutil.wait_procs(started, timeout=30)
    rmtree(Path(data_dir).parent)  # what a killed process cannot do

    assert url.startswith("http://127.0.0.1:")
    assert len(started) >= 3
    assert not left
