"""The steady load: schedules of every kind, changed and switched while they fire, and runs posted in batches."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID

from tests.e2e.checker.history import Key
from tests.e2e.nemesis.api import Api, ApiError
from tests.e2e.nemesis.work import JOBS, LONG, POISONS

Definition: TypeAlias = dict[str, Any]  # Any: JSON
ROUND = 1.0
"""Seconds between two rounds of changes and posts."""
POLICIES = ("FIRE_ONCE", "FIRE_ALL", "SKIP")
ZONES = ("UTC", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns")


class Load:
    """`accepted` are the schedules and runs that the API said yes to."""

    def __init__(self, api: Api, tenant: str, chance: random.Random) -> None:
        self.accepted: list[Key] = []
        self.refusals: list[str] = []
        self._api = api
        self._tenant = tenant
        self._chance = chance
        self._names = 0
        self._changing: list[str] = []

    async def prepare(self, within: float = 60.0) -> None:
        """Waits until the workers have made their jobs, then stores the schedules."""
        async with asyncio.timeout(within):
            while not {*JOBS, LONG, *POISONS} <= {
                job["name"] for job in (await self._api.insist("GET", "/jobs"))["items"]
            }:
                await asyncio.sleep(0.2)
        made = await self._api.insist("POST", "/schedules/batch", list(self._steady()))
        self._accept(made["items"])
        made = await self._api.insist("POST", "/schedules/batch", [self._named(self._rate(1)) for _ in range(6)])
        self._accept(made["items"])
        self._changing = [item["id"] for item in made["items"]]

    async def run(self) -> None:
        """Until cancelled: each second some posts and one change."""
        while True:
            for act in (self._post_runs, self._post_one_shots, self._change_something):
                try:
                    await act()
                except ApiError as error:
                    self.refusals.append(str(error))
            await asyncio.sleep(ROUND)

    async def end(self) -> None:
        """Disables every schedule of which more may come: what is due by then is settled, and nothing comes after."""
        cursor = ""
        while True:
            page = await self._api.insist("GET", f"/schedules?enabled=true&limit=200{cursor}")
            for item in (each for each in page["items"] if not _is_over(each)):
                await self._api.insist("POST", f"/schedules/{item['id']}/disable", {"reason": "the end"})
            if not page["nextCursor"]:
                return
            cursor = f"&cursor={page['nextCursor']}"

    def _steady(self) -> Iterator[Definition]:
        for second in range(4):
            yield self._named({"trigger": {"type": "CRON", "cron": "* * * * * *"}}, policy=POLICIES[second % 3])
        yield self._named({"trigger": {"type": "CRON", "cron": "*/2 * * * * *"}}, job="chaos.thread")
        yield self._named({"trigger": {"type": "CRON", "cron": "1-59/3 * * * * *"}}, job="chaos.slow")
        yield self._named({"trigger": {"type": "CRON", "cron": "*/5 * * * * *"}}, job="chaos.flaky")
        yield self._named({"trigger": {"type": "CRON", "cron": "*/20 * * * * *"}}, job="chaos.hopeless")
        yield self._named({"trigger": {"type": "CRON", "cron": "* * * * *"}})
        for every in (1, 1.5, 2.25):
            for policy in POLICIES:
                yield self._named(self._rate(every), policy=policy, grace=self._chance.choice((0.5, 2, 30)))
        yield self._named(self._rate(1.25) | {"misfire": _caught_up(within=4)})
        yield self._named({"trigger": {"type": "CRON", "cron": "* * * * * *"}, "misfire": _caught_up(within=2)})
        yield self._named({"trigger": {"type": "CRON", "cron": "* * * * * *"}, "maxRuns": 20})
        ends = (datetime.now(UTC) + timedelta(seconds=30)).isoformat()
        yield self._named({"trigger": {"type": "CRON", "cron": "* * * * * *"}, "endAt": ends})

    def _named(
        self, definition: Definition, *, job: str = "chaos.quick", policy: str | None = None, grace: float = 5
    ) -> Definition:
        self._names += 1
        return {
            "name": f"chaos {self._names}",
            "tz": self._chance.choice(ZONES),
            "target": {"kind": "JOB", "job": job},
            "misfire": {"policy": policy or self._chance.choice(POLICIES), "graceSec": grace},
        } | definition

    def _rate(self, every: float) -> Definition:
        return {"trigger": {"type": "FIXED_RATE", "everySec": every}}

    async def _post_runs(self) -> None:
        orders: list[Definition] = [
            {"job": self._chance.choice(JOBS[:4]), "payload": {"n": n}} for n in range(self._chance.randint(1, 8))
        ]
        for order in orders[: len(orders) // 3]:
            order["runAt"] = _soon(self._chance.uniform(0.2, 3))
        await self._post("/runs/batch", orders)

    async def _post_one_shots(self) -> None:
        """Some of them are due before they are made."""
        shots = [
            self._named({"trigger": {"type": "ONE_SHOT", "startAt": _soon(self._chance.uniform(-2, 4))}})
            for _ in range(self._chance.randint(0, 3))
        ]
        if shots:
            await self._post("/schedules/batch", shots)

    async def _change_something(self) -> None:
        schedule = f"/schedules/{self._chance.choice(self._changing)}"
        match self._chance.randrange(6):
            case 0:
                await self._api.ask("POST", f"{schedule}/disable", {"reason": "for a while"})
            case 1 | 2:
                await self._api.ask("POST", f"{schedule}/enable", {"reason": "again"})
            case 3:
                await self._api.ask("PATCH", schedule, self._rate(self._chance.choice((1, 1.25, 2))))
            case 4:
                cron = self._chance.choice(("* * * * * *", "*/3 * * * * *", "1,7,30-59/2 * * * * *"))
                await self._api.ask("PATCH", schedule, {"trigger": {"type": "CRON", "cron": cron}})
            case 5:
                made = await self._api.ask("POST", f"{schedule}/trigger", {"payload": {"by": "hand"}})
                self._accept([made] if made else [])

    async def _post(self, path: str, body: list[Definition]) -> None:
        made = await self._api.ask("POST", path, body)
        self._accept(made["items"] if made else [])

    def _accept(self, items: list[Definition]) -> None:
        self.accepted.extend((self._tenant, UUID(item["id"])) for item in items)


def _caught_up(within: float) -> Definition:
    return {"policy": "FIRE_ALL", "graceSec": 0.5, "catchupWindowSec": within}


def _is_over(schedule: Definition) -> bool:
    """Of the others, some wait for a message or for the end of a run."""
    return schedule["trigger"]["type"] == "ONE_SHOT" and schedule["nextFireAt"] is None


def _soon(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
