"""The load on a run's whole life: overlap, limits, priorities, cancellations, second chances, deliveries, triggers."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias
from uuid import UUID

from tests.e2e.checker.history import Key
from tests.e2e.nemesis.api import Api, ApiError
from tests.e2e.nemesis.work import LIMITED, LONG, POISONS
from tests.e2e.nemesis.work import RETRY as JOB_RETRY

Definition: TypeAlias = dict[str, Any]  # Any: JSON
ROUND = 1.0
"""Seconds between two rounds of posts, cancellations and retries."""
CUSTOMERS = 4
LIMITS: Mapping[str, Definition] = dict(
    zip(
        LIMITED,
        ({"maxConcurrent": 3}, {"concurrencyKey": "/customer"}, {"rateLimit": {"count": 4, "perSec": 1}}),
        strict=True,
    )
)
RETRY = {"maxAttempts": 30, "backoff": {"kind": "FIXED", "initialSec": 0.5, "factor": 1, "maxSec": 1, "jitter": 0.2}}
TOPIC = "nemesis.ticks"
CONFLICT = 409
WAITING, RUNNING = "PENDING", "RUNNING"


class WholeLife:
    """`accepted` and `cancelled` are the runs and schedules that the API said yes to."""

    def __init__(self, api: Api, tenant: str, chance: random.Random) -> None:
        self.accepted: list[Key] = []
        self.cancelled: list[Key] = []
        self.refusals: list[str] = []
        self._api = api
        self._tenant = tenant
        self._chance = chance
        self._names = 0
        self._gone = ""

    async def make_jobs(self) -> None:
        """Before there are workers: a job that their registration makes has no limits, and is theirs to change."""
        for name, limit in LIMITS.items():
            await self._api.insist("POST", "/jobs", {"name": name, "retry": JOB_RETRY, "timeoutSec": 20} | limit)

    async def prepare(self, receivers: Mapping[str, str]) -> None:
        """The workers have made the other jobs."""
        made = await self._api.insist("POST", "/schedules/batch", [*self._jobs(), *self._deliveries(receivers)])
        self._accept(made["items"])
        self._gone = next(item["id"] for item in made["items"] if item["name"] == "gone")

    async def run(self) -> None:
        """Until cancelled."""
        acts = (self._post, self._cancel, self._cancel, self._retry, self._enable_gone)
        while True:
            for act in acts:
                try:
                    await act()
                except ApiError as error:
                    self.refusals.append(str(error))
            await asyncio.sleep(ROUND)

    # Schedules

    def _jobs(self) -> Iterator[Definition]:
        yield self._schedule(_rate(1), job=LONG, overlap="SKIP")
        yield self._schedule(_rate(1), job=LONG, overlap="QUEUE_ONE")
        yield self._schedule(_rate(2), job=LONG, overlap="QUEUE")
        yield self._schedule(_rate(1.25), job=LONG, overlap="REPLACE")
        yield self._schedule(_rate(1), job="chaos.flaky", overlap="SKIP")
        yield self._schedule({"type": "FIXED_DELAY", "delaySec": 0.5})
        yield self._schedule({"type": "FIXED_DELAY", "delaySec": 0.25}, job="chaos.slow")
        yield self._schedule(_rate(1), job="chaos.few", priority=5)
        yield self._schedule(_rate(2), job="chaos.rated", priority=-5)
        yield self._schedule({"type": "EVENT", "subject": f"topic.{self._tenant}.{TOPIC}"})

    def _deliveries(self, receivers: Mapping[str, str]) -> Iterator[Definition]:
        yield self._schedule(_rate(1), target={"kind": "EVENT", "eventTopic": TOPIC, "payload": {"by": "nemesis"}})
        yield self._schedule(_rate(1), target={"kind": "EVENT", "eventTopic": "nemesis.unheard"}, overlap="SKIP")
        for name, url in receivers.items():
            every = 1 if name in ("good", "large") else 4
            target = {"kind": "HTTP", "http": {"url": url, "timeoutSec": 2}}
            yield self._schedule(_rate(every), target=target, overlap="QUEUE" if name == "busy" else "ALLOW", name=name)

    def _schedule(
        self, trigger: Definition, *, job: str = "chaos.quick", name: str = "", **more: Any
    ) -> Definition:  # Any: JSON
        """What an outage made late is missed: catching up is for other schedules to try."""
        self._names += 1
        target = {"kind": "JOB", "job": job}
        own = {} if "target" not in more else {"retry": RETRY}
        misfire = {"policy": "SKIP", "graceSec": 5}
        name = name or f"whole life {self._names}"
        return {"name": name, "trigger": trigger, "target": target, "misfire": misfire} | own | more

    # Acts

    async def _post(self) -> None:
        orders = [self._order(self._chance.choice(LIMITED)) for _ in range(self._chance.randint(1, 9))]
        made = await self._api.ask("POST", "/runs/batch", orders)
        self._accept(made["items"] if made else [])

    def _order(self, job: str) -> Definition:
        """Keyed ones by customer; one in ten has none, and no limit."""
        customer = self._chance.randrange(CUSTOMERS)
        payload = {"customer": f"c{customer}"} if self._chance.random() < 0.9 else {}
        return {"job": job, "payload": payload, "priority": self._chance.randint(-100, 100)}

    async def _cancel(self) -> None:
        """One that waits, or one that runs; it may have come to its end meanwhile."""
        run = await self._any_in(self._chance.choice((WAITING, RUNNING)))
        if run and await self._unless_late("POST", f"/runs/{run}/cancel", {"reason": "at random"}) is not None:
            self.cancelled.append((self._tenant, UUID(run)))

    async def _retry(self) -> None:
        """Each time a new run; the old one stays as it is."""
        run = await self._any_in("DEAD") if self._chance.random() < 0.5 else None
        made = await self._unless_late("POST", f"/runs/{run}/retry", {}) if run else None
        self._accept([made] if made else [])

    async def _enable_gone(self) -> None:
        """Its receiver disables it again."""
        if self._chance.random() < 0.2:
            await self._api.ask("POST", f"/schedules/{self._gone}/enable", {"reason": "once more"})

    async def _any_in(self, state: str) -> str | None:
        """Poison is left alone: who gives it looks after it."""
        found = await self._api.ask("GET", f"/runs?state={state}&limit=50")
        harmless = [run["id"] for run in found["items"] if run["job"] not in POISONS] if found else []
        return self._chance.choice(harmless) if harmless else None

    async def _unless_late(self, method: str, path: str, body: Definition) -> Any:  # Any: JSON
        """None where nobody knows, or it had ended already. Raises ApiError for every other refusal."""
        try:
            return await self._api.ask(method, path, body)
        except ApiError as error:
            if error.status == CONFLICT:
                return None
            raise

    def _accept(self, items: list[Definition]) -> None:
        self.accepted.extend((self._tenant, UUID(item["id"])) for item in items)


def _rate(every: float) -> Definition:
    return {"type": "FIXED_RATE", "everySec": every}
