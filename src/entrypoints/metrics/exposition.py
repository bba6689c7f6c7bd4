"""One scrape: what this process knows by itself, and what it asks the store, which may be away."""

from __future__ import annotations

import asyncio
import platform
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from itertools import chain

import structlog
from prometheus_client import ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from rota.application.ports.health import StoreHealth
from rota.application.ports.numbers import AskNumbers, StoreNumbers
from rota.application.tally import Tally
from rota.domain.errors import UnavailableError
from rota.entrypoints.metrics import families
from rota.entrypoints.metrics.readings import Calls, Readings

KEPT = 4.0
"""Seconds for which the store's answer counts, however many ask: Prometheus comes every 15 s, and may be two."""
PATIENCE = 2.0
"""Seconds in which the store must have answered: a scrape's own time is ten."""

log = structlog.get_logger()


class Metrics:
    """`calls` is told of each HTTP request; `text` is what a scrape is answered."""

    def __init__(
        self,
        tally: Tally,
        own: Readings,
        ask_health: Callable[[], Awaitable[StoreHealth]],
        ask_numbers: AskNumbers,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.calls = Calls()
        self._tally = tally
        self._own = own
        self._ask_health = ask_health
        self._ask_numbers = ask_numbers
        self._now = now
        self._asking = asyncio.Lock()
        self._asked_at = float("-inf")
        self._known: tuple[StoreHealth, StoreNumbers] | None = None
        self._process = ProcessCollector(registry=None)

    async def text(self) -> bytes:
        """Prometheus text. With the store away it says so, and leaves out what only the store knows."""
        known = await self._ask()
        return generate_latest(_Once(self._all(known)))

    async def _ask(self) -> tuple[StoreHealth, StoreNumbers] | None:
        async with self._asking:  # one question for all who come at once
            if self._now() - self._asked_at >= KEPT:
                self._known = await self._try_to_ask()
                self._asked_at = self._now()
            return self._known

    async def _try_to_ask(self) -> tuple[StoreHealth, StoreNumbers] | None:
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._ask_health(), await self._ask_numbers()
        except (UnavailableError, TimeoutError) as error:
            log.warning("store_not_measured", error=str(error) or type(error).__name__)
            return None

    def _all(self, known: tuple[StoreHealth, StoreNumbers] | None) -> Iterable[Metric]:
        return chain(
            families.of_tally(self._tally),
            families.of_calls(self.calls),
            families.of_process(self._own, python=platform.python_version()),
            families.is_up(known is not None),
            families.of_store(*known) if known else (),
            self._process.collect(),
        )


class _Once(Collector):
    """As the library wants it: something that is collected from."""

    def __init__(self, found: Iterable[Metric]) -> None:
        self._found = found

    def collect(self) -> Iterator[Metric]:
        yield from self._found
