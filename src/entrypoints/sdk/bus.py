"""What the parts of a worker need of the bus. `Link` is the real one."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from nats.aio.msg import Msg

Receive = Callable[[Msg], Awaitable[None]]


class NoAnswerError(Exception):
    """Nobody answered, in time or at all."""


class Bus(Protocol):
    """A connection that promises nothing: what must arrive is sent again by whoever sent it."""

    @property
    def inbox(self) -> str:
        """The prefix of subjects where answers may be received."""
        ...

    @property
    def is_up(self) -> bool: ...

    @property
    def batch_limit(self) -> int:
        """Bytes that one message of reports may have."""
        ...

    async def listen(self, subject: str, receive: Receive) -> None: ...

    async def send(
        self, subject: str, data: bytes = b"", reply: str = "", headers: dict[str, str] | None = None
    ) -> bool:
        """Whether it went out; that it arrived is for the receiver to say."""
        ...

    async def ask(self, subject: str, data: bytes, wait: float) -> bytes:
        """The answer, within `wait` seconds. Raises NoAnswerError."""
        ...
