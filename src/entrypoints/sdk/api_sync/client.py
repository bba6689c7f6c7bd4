# Made from sdk/api by tests/support/twin.py: change it there.
"""The HTTP client that blocks."""

from typing import Self

from httpx import BaseTransport, Client

from rota.entrypoints.sdk.api_sync.backfills import Backfills
from rota.entrypoints.sdk.api_sync.calendars import Calendars
from rota.entrypoints.sdk.api_sync.dead_letters import DeadLetters
from rota.entrypoints.sdk.api_sync.events import Events
from rota.entrypoints.sdk.api_sync.jobs import Jobs
from rota.entrypoints.sdk.api_sync.runs import Runs
from rota.entrypoints.sdk.api_sync.schedules import Schedules
from rota.entrypoints.sdk.api_sync.workers import Workers
from rota.entrypoints.sdk.asking import PATIENCE, TIMEOUT, whom_to_ask


class RotaSync(Schedules, Backfills, Jobs, Runs, DeadLetters, Workers, Calendars, Events):
    """As `Rota`, for programs without an event loop: the API of one tenant.

    `url` and `token` default to ROTA_URL and ROTA_TOKEN (or the file ROTA_TOKEN_FILE).

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
        transport: BaseTransport | None = None,
    ) -> None:
        base_url, headers = whom_to_ask(url, token, tenant)
        super().__init__(Client(base_url=base_url, headers=headers, transport=transport), timeout, patience)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()
