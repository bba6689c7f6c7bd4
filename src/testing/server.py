"""`python -m rota.testing.server HOME`: what `rota up` runs, until standard input ends."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from rota.entrypoints.cli.running import run_until_stopped, run_up


def main(home: Path) -> None:
    threading.Thread(target=_end_with_input, name="input", daemon=True).start()
    run_until_stopped(run_up(0, home / "data", home / "ready.json"))


def _end_with_input() -> None:
    while os.read(sys.stdin.fileno(), 65_536):  # a buffer's lock would abort the interpreter at its end
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
