"""Is it well, and if not, what is not?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from rota.application.command import Message
from rota.application.ports.health import AskStore, AuditHealth, StoreHealth
from rota.domain.errors import UnavailableError

UP, DEGRADED, DOWN = "UP", "DEGRADED", "DOWN"
LAG_OF_CONCERN = 10_000


@dataclass(frozen=True, slots=True)
class Check:
    status: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """DOWN if the database or the bus is, DEGRADED if anything else is not well."""

    checks: dict[str, Check] = field(default_factory=dict)

    @property
    def status(self) -> str:
        found = {check.status for check in self.checks.values()}
        return next((status for status in (DOWN, DEGRADED) if status in found), UP)

    @property
    def is_ready(self) -> bool:
        """Whether requests can be served."""
        return self.status != DOWN


@dataclass(frozen=True, slots=True)
class CheckHealth(Message[Health]):
    pass


@dataclass(frozen=True, slots=True)
class CheckHealthHandler:
    ask_store: AskStore
    bus_is_up: Callable[[], bool]
    tz_data: str
    """The release of the time zone data in use."""

    async def __call__(self, command: CheckHealth) -> Health:
        checks = {
            "bus": Check(UP) if self.bus_is_up() else Check(DOWN, "not connected"),
            "tz": Check(UP, f"time zone data {self.tz_data}"),
        }
        try:
            store = await self.ask_store()
        except UnavailableError as error:
            return Health({"database": Check(DOWN, str(error)), **checks})
        return Health({"database": Check(UP), **checks, **_of_store(store)})


def _of_store(store: StoreHealth) -> dict[str, Check]:
    return {
        "leader": Check(UP, store.leader or "") if store.has_leader else Check(DEGRADED, "nobody leads"),
        "relay": _relay(store),
        "workers": Check(UP, f"{store.workers} not offline"),
        "jobs": _jobs(store.lonely_jobs),
        "audit": _audit(store.audit),
    }


def _jobs(lonely: int) -> Check:
    if not lonely:
        return Check(UP)
    return Check(DEGRADED, f"runs of {lonely} {'job' if lonely == 1 else 'jobs'} wait, and no worker does them")


def _audit(audit: AuditHealth) -> Check:
    if audit.ended_at is None:
        told = "the first round is under way"
    else:
        told = f"{audit.schedules} schedules, {audit.due_times} due times in {audit.took_sec:.0f} s"
        told += f", up to {audit.audited_to:%Y-%m-%dT%H:%M:%SZ}" if audit.audited_to else ""
        told += f"; {audit.uncovered} cannot be audited" if audit.uncovered else ""
    if audit.differences:
        return Check(DEGRADED, f"{audit.differences} differences in the last day; {told}")
    return Check(UP, told)


def _relay(store: StoreHealth) -> Check:
    lag = f"{store.relay_lag} events behind"
    if not store.has_relay:
        return Check(DEGRADED, f"nobody relays; {lag}")
    return Check(UP if store.relay_lag < LAG_OF_CONCERN else DEGRADED, lag)
