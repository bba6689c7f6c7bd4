"""What the embedded servers have in common: a directory that is theirs alone, a port, and a child process."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from signal import Signals
from typing import ClassVar

from rota.infrastructure.embedded.child import Child, EmbeddedServerError
from rota.infrastructure.embedded.home import Home
from rota.infrastructure.embedded.leftover import end_servers


class EmbeddedServer(ABC):
    """After `stop`, or when the server was killed, `start` may be called again; the port stays the same if it can."""

    program: ClassVar[str]
    endings: ClassVar[Sequence[Signals]]  # see Child
    grace: ClassVar[timedelta]
    start_within: ClassVar[timedelta]

    def __init__(self, data_dir: Path, *, port: int | None) -> None:
        self._home = Home(data_dir)
        self._log = self._home.path / f"{self.program}.log"
        self._wanted_port = port
        self._port = 0
        self._child: Child | None = None

    @property
    def port(self) -> int:
        """0 before the first start."""
        return self._port

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child else None

    @property
    def is_running(self) -> bool:
        return self._child is not None and self._child.is_running

    async def start(self) -> None:
        """When this returns, the server has recovered what it keeps, and answers. Raises EmbeddedServerError."""
        if self.is_running:
            raise EmbeddedServerError(f"{self.program} in {self._home.path} is running already")
        self._home.open()
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Ends the server in its orderly way; nothing if it does not run."""
        if self._child is not None:
            await self._child.stop(grace=self.grace)
            self._child = None
        self._home.close()

    async def kill(self) -> None:
        """Ends the server as a crash does, for trying what comes after; `start` brings it back."""
        if self._child is not None:
            await self._child.kill()

    def check(self) -> None:
        """Raises EmbeddedServerError if the server was started and has ended by itself."""
        if self._child is not None and not self.is_running:
            raise EmbeddedServerError(f"{self.program} has ended by itself: {self._child.log_tail()}")

    async def _start(self) -> None:
        await end_servers(self.program, self._files(), endings=self.endings, grace=self.grace)
        self._port = self._home.port(self._wanted_port)
        self._child = await self._prepare()
        self._child.start()
        await self._child.ready(self._answers, within=self.start_within)

    @abstractmethod
    def _files(self) -> Path:
        """The path on the server's command line by which it is known from others of its kind."""

    @abstractmethod
    async def _prepare(self) -> Child:
        """Makes all that the server needs, and the child that will run it."""

    @abstractmethod
    async def _answers(self) -> bool:
        """Whether it serves a client; raises what will not pass by waiting."""
