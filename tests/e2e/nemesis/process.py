"""One of Rota's own processes, started as a user starts it; killed, stopped and started again as a user would not."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from time import monotonic

import psutil

ROOT = Path(__file__).parents[3]
LEASH = Path(__file__).with_name("leash.py")
LOOK_EVERY = 0.05


class Process:
    """May live several times under one name, each life a process of its own. All end with their maker."""

    def __init__(self, name: str, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.lives = 0
        self.endings: list[float] = []
        """Seconds from SIGTERM to the end, of each time that it was asked to end and did."""
        self._arguments = list(arguments)
        self._environment = dict(environment)
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def status(self) -> int | None:
        """Of the life that ended last; minus the signal's number where one ended it."""
        return self._process.poll() if self._process else None

    @property
    def is_stopped(self) -> bool:
        """By SIGSTOP, whoever sent it."""
        try:
            return self.is_running and psutil.Process(self.pid).status() == psutil.STATUS_STOPPED
        except psutil.NoSuchProcess:
            return False

    @property
    def busy_seconds(self) -> float:
        """Processor time of this life so far; 0 where it has ended."""
        try:
            used = psutil.Process(self.pid).cpu_times()
        except psutil.NoSuchProcess:
            return 0.0
        return float(used.user + used.system)

    def talks_from(self, port: int) -> bool:
        """Whether that local port is one of its TCP connections."""
        try:
            found = psutil.Process(self.pid).net_connections("tcp4") if self.is_running else []
        except psutil.Error:
            return False
        return any(each.laddr and each.laddr.port == port for each in found)

    def start(self, **environment: str) -> None:
        """`environment` is added for this life and all later ones."""
        self._environment |= environment
        self.lives += 1
        leash = [sys.executable, "-I", "-S", str(LEASH), str(os.getpid())]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*leash, *rota_command(), *self._arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env=os.environ | self._environment,
                start_new_session=True,
            )

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def ask_to_end(self) -> None:
        self.thaw()
        self._signal(signal.SIGTERM)

    async def end(self, within: float, known: Collection[int] = ()) -> str | None:
        """Asks by SIGTERM, and kills after that long. Answers what was wrong with the ending, None if nothing was.

        `known` are statuses beside 0 with which it may end: on its way it may come upon a named point, or poison.
        """
        asked = monotonic()
        self.ask_to_end()
        if not await self.has_ended(within):
            self.kill()
            await self.has_ended(5.0)
            return f"{self.name} had not ended {within:g} s after SIGTERM"
        self.endings.append(monotonic() - asked)
        if self.status in (None, 0, *known):
            return None
        return f"{self.name} ended with status {self.status} after SIGTERM: {self.tail()}"

    async def has_ended(self, within: float) -> bool:
        deadline = asyncio.get_running_loop().time() + within
        while self.is_running and asyncio.get_running_loop().time() < deadline:
            self.thaw()  # it may have stopped itself at a named point, and could not hear the signal
            await asyncio.sleep(LOOK_EVERY)
        return not self.is_running

    def tail(self, lines: int = 5) -> str:
        text = self._log.read_text(errors="replace") if self._log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self.is_running:
            self._process.send_signal(number)


def rota_command() -> list[str]:
    """The console script beside the interpreter; where the package is not installed, the function that it calls."""
    script = Path(sys.executable).parent / "rota"
    if script.exists():
        return [str(script)]
    return [sys.executable, "-c", "from rota.entrypoints.cli.app import main; main()"]
