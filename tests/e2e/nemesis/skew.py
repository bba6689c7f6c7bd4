"""Another wall clock for one process: a small library, preloaded. Where there is no C compiler, there is none."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).with_name("skew.c")


def can_skew() -> bool:
    return sys.platform == "linux" and shutil.which("cc") is not None


def skewed(directory: Path, seconds: int) -> dict[str, str]:
    """The environment of a process whose clock is off by so many seconds. The library is made in `directory` once."""
    library = directory / "skew.so"
    if not library.exists():
        command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
    return {"LD_PRELOAD": str(library), "SKEW_SECONDS": str(seconds)}


def straight() -> dict[str, str]:
    return {"LD_PRELOAD": "", "SKEW_SECONDS": "0"}
