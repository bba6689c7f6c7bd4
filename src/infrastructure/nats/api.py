"""JetStream's management interface: one JSON request, one JSON answer."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import orjson
from nats.aio.client import Client
from nats.errors import Error as NatsError

from rota.domain.errors import RotaError, UnavailableError

API_TIMEOUT: Final = 4.0

STREAM_NOT_FOUND: Final = 10059
CONSUMER_NOT_FOUND: Final = 10014

Answer: TypeAlias = dict[str, Any]
"""JSON as the server sends it (Any: its shape is the server's)."""


class ApiRefusalError(RotaError):
    """The server understood and said no; `code` tells why (`err_code` in its answer)."""

    code = "bus-refusal"

    def __init__(self, subject: str, error: Answer) -> None:
        self.err_code: int = error.get("err_code", 0)
        self.description: str = error.get("description", "")
        super().__init__(f"{subject}: {self.description} ({self.err_code})")


class JetStreamApi:
    """Asks the server, with a bound on the wait."""

    def __init__(self, nc: Client, timeout: float = API_TIMEOUT) -> None:
        self._nc = nc
        self._timeout = timeout

    async def ask(self, operation: str, body: object = None) -> Answer:
        """The answer to `$JS.API.<operation>`; raises ApiRefusalError or UnavailableError (nobody answers)."""
        if not self._nc.is_connected:
            raise UnavailableError("not connected to the bus")
        payload = b"" if body is None else orjson.dumps(body)
        try:
            message = await self._nc.request(f"$JS.API.{operation}", payload, timeout=self._timeout)
        except (NatsError, OSError) as error:
            raise UnavailableError(f"the bus does not answer {operation}: {type(error).__name__}") from error
        answer: Answer = orjson.loads(message.data)
        if "error" in answer:
            raise ApiRefusalError(operation, answer["error"])
        return answer

    async def find(self, operation: str, *, missing: tuple[int, ...], body: object = None) -> Answer | None:
        """As `ask`, with None for the error codes in `missing`."""
        try:
            return await self.ask(operation, body)
        except ApiRefusalError as refusal:
            if refusal.err_code in missing:
                return None
            raise

    async def stream(self, name: str) -> Answer | None:
        """Configuration and state of a stream; None if there is none."""
        return await self.find(f"STREAM.INFO.{name}", missing=(STREAM_NOT_FOUND,))

    async def consumer(self, stream: str, durable: str) -> Answer | None:
        """Configuration and state of a consumer; None if it or its stream is missing."""
        missing = (STREAM_NOT_FOUND, CONSUMER_NOT_FOUND)
        return await self.find(f"CONSUMER.INFO.{stream}.{durable}", missing=missing)

    async def consumer_names(self, stream: str) -> set[str]:
        """Of all its consumers; none if there is no such stream."""
        return set(await self._listed(f"CONSUMER.NAMES.{stream}"))

    async def consumers(self, stream: str) -> list[Answer]:
        """Configuration and state of all consumers of a stream; none where there is no such stream."""
        return await self._listed(f"CONSUMER.LIST.{stream}")

    async def _listed(self, operation: str) -> list[Any]:  # Any: names, or what the server tells of each
        """All `consumers`, which the server tells by the page."""
        found: list[Any] = []
        while True:
            page = await self.find(operation, missing=(STREAM_NOT_FOUND,), body={"offset": len(found)})
            consumers = (page or {}).get("consumers") or []
            found += consumers
            if page is None or not consumers or len(found) >= page["total"]:
                return found
