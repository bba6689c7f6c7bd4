"""A server that is a child process of ours: it starts, is waited for, and ends with us, whatever ends us.

    new --start()--> running --stop()--> ended
                        |                   ^
                        +--- dies itself ---+

The processes are plain `subprocess.Popen`, tied to no event loop: one loop may start a server and another stop it,
asyncio's own or uvloop. How a child learns of our death is told in `launch.py`.
"""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from io import BufferedWriter
from pathlib import Path
from signal import Signals
from time import monotonic

from rota.domain.errors import RotaError
from rota.infrastructure.embedded.user import User

LAUNCH = Path(__file__).with_name("launch.py")
LOOK_EVERY = 0.02  # seconds between two looks at a child that is starting or stopping
LOOK_SELDOM = 0.5  # the longest such pause
LOG_LIMIT = 8 * 1024 * 1024
TAIL_LINES = 5


class EmbeddedServerError(RotaError):
    """An embedded server cannot be started, or has ended by itself. The message is one line."""


class Child:
    """One process, in a session of its own: Ctrl-C in a terminal reaches us alone, and it is we who stop the child.

    `endings` are the signals that end it, the kindest first; that one it also gets when we die.
    """

    def __init__(
        self, name: str, command: Sequence[str], *, log: Path, endings: Sequence[Signals], user: User | None = None
    ) -> None:
        self._name = name
        self._log = log
        self._endings = endings
        launch = [sys.executable, "-I", "-S", str(LAUNCH), str(os.getpid()), str(int(endings[0]))]
        self._command = [*launch, *_ids(user), *command]
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Raises EmbeddedServerError outside the main thread: the child would end with the thread that started it."""
        if threading.current_thread() is not threading.main_thread():
            raise EmbeddedServerError(f"{self._name} must be started from the main thread, whose end it is bound to")
        with _appending(self._log) as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=_environment(),
                start_new_session=True,
            )

    async def ready(self, answers: Callable[[], Awaitable[bool]], *, within: timedelta) -> None:
        """Returns once `answers` says yes. Raises EmbeddedServerError if the child ends before, or time is up."""
        deadline = monotonic() + within.total_seconds()
        pause = LOOK_EVERY
        while not await answers():
            if not self.is_running:
                raise EmbeddedServerError(f"{self._name} ended while it was starting: {self.log_tail()}")
            if monotonic() > deadline:
                raise EmbeddedServerError(f"{self._name} does not answer after {within}: {self.log_tail()}")
            await asyncio.sleep(pause)
            pause = min(pause * 1.1, LOOK_SELDOM)  # a long recovery writes a log line for each look

    async def succeed(self, *, within: timedelta) -> None:
        """For a program that does its work and ends. Raises EmbeddedServerError if it fails or time is up."""
        try:
            if not await self._ended(within):
                raise EmbeddedServerError(f"{self._name} does not end after {within}: {self.log_tail()}")
        finally:
            await self.stop(grace=timedelta(seconds=1))
        if self._process is not None and self._process.returncode != 0:
            raise EmbeddedServerError(f"{self._name} failed: {self.log_tail()}")

    async def stop(self, *, grace: timedelta) -> None:
        """Ends the child if it runs: each ending in turn, `grace` apart, and SIGKILL last."""
        for ending in self._endings:
            if self._process is not None and self.is_running:
                self._process.send_signal(ending)
                await self._ended(grace)
        await self.kill()

    async def kill(self) -> None:
        if self._process is not None and self.is_running:
            self._process.kill()
            await self._ended(timedelta(minutes=1))

    def log_tail(self) -> str:
        """The last lines that this child has written, as one."""
        with self._log.open("rb") as log:
            log.seek(self._log_start)
            lines = log.read().decode(errors="replace").splitlines()
        return " | ".join(line.strip() for line in lines[-TAIL_LINES:] if line.strip()) or "it wrote no log"

    async def _ended(self, within: timedelta) -> bool:
        deadline = monotonic() + within.total_seconds()
        while True:
            if not self.is_running:
                return True
            if monotonic() > deadline:
                return False
            await asyncio.sleep(LOOK_EVERY)


def _ids(user: User | None) -> tuple[str, str]:
    return (str(user.uid), str(user.gid)) if user else ("-1", "-1")


def _appending(log: Path) -> BufferedWriter:
    """A log that has grown large is put aside first; one old log is kept."""
    if log.exists() and log.stat().st_size > LOG_LIMIT:
        log.replace(log.with_suffix(".log.old"))
    return open(log, "ab", opener=lambda path, flags: os.open(path, flags, 0o600))


def _environment() -> dict[str, str]:
    """Ours, without what Postgres would take for its own settings; UTC and C spare initdb a search for both."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}
