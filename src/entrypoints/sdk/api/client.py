"""The HTTP client."""

from typing import Self

from httpx import AsyncBaseTransport

from rota.entrypoints.sdk.api.backfills import Backfills
from rota.entrypoints.sdk.api.calendars import Calendars
from rota.entrypoints.sdk.api.dead_letters import DeadLetters
from rota.entrypoints.sdk.api.events import Events
from rota.entrypoints.sdk.api.jobs import Jobs
from rota.entrypoints.sdk.api.runs import Runs
from rota.entrypoints.sdk.api.schedules import Schedules
from rota.entrypoints.sdk.api.workers import Workers
from rota.entrypoints.sdk.asking import PATIENCE, TIMEOUT, whom_to_ask
from rota.entrypoints.web_client import WebClient


class Rota(Schedules, Backfills, Jobs, Runs, DeadLetters, Workers, Calendars, Events):
    """The API of one tenant. `url` and `token` default to ROTA_URL and ROTA_TOKEN (or the file ROTA_TOKEN_FILE).

    `tenant` is for a token of all.

    Every call raises RotaError where the server refuses it. Where the server is not there, has too much to do or loses
    an answer, the call is tried again for up to `patience` seconds (0: never), and raises UnavailableError after that.
    One try may take `timeout` seconds. A POST has an idempotency key that its tries share, so it takes effect once;
    `idempotency_key` gives it one that outlives the call. `transport` is httpx's, for tests and odd networks.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        tenant: str | None = None,
        timeout: float = TIMEOUT,
        patience: float = PATIENCE,
        transport: AsyncBaseTransport | None = None,
    ) -> None:
        base_url, headers = whom_to_ask(url, token, tenant)
        super().__init__(WebClient(base_url=base_url, headers=headers, transport=transport), timeout, patience)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()
