"""One transaction: the aggregates it touched, and their events, last."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager

from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from uuid_utils.compat import uuid7

from rota.application.ports.meter import NO_METER, Meter
from rota.application.ports.store import Rejected, UnitOfWork
from rota.domain.errors import ConcurrentChangeError, NameTakenError
from rota.infrastructure.calendars.known import KnownOpenDays
from rota.infrastructure.postgres import log
from rota.infrastructure.postgres.backfills import PostgresBackfills
from rota.infrastructure.postgres.backlog import PostgresCatchUps, PostgresMisses
from rota.infrastructure.postgres.calendars import PostgresCalendars
from rota.infrastructure.postgres.engine import translated
from rota.infrastructure.postgres.jobs import PostgresJobs
from rota.infrastructure.postgres.keyed_calls import PostgresAnswers
from rota.infrastructure.postgres.redrives import PostgresRedrives
from rota.infrastructure.postgres.runs import PostgresRuns
from rota.infrastructure.postgres.schedules import PostgresSchedules
from rota.infrastructure.postgres.tables import rejected_reports
from rota.infrastructure.postgres.waiting import PostgresWaiting
from rota.infrastructure.postgres.workers import PostgresWorkers

_NAMES = {"jobs_name_key": "job", "schedules_name_key": "schedule", "calendars_name_key": "calendar"}
_KEYS = {"runs_dedupe_key": "dedupe key", "runs_key_idx": "concurrency key"}
_TAKEN = re.compile(r"\(tenant_id, name\)=\([^,]*, (.*)\) already exists", re.DOTALL)


@contextmanager
def _uniqueness_told() -> Iterator[None]:
    """What only one may have is ours to tell: NameTakenError, ConcurrentChangeError."""
    try:
        yield
    except IntegrityError as error:
        cause = error.orig.__cause__ if error.orig else None
        constraint = getattr(cause, "constraint_name", None) or ""
        if constraint in _NAMES:
            taken = _TAKEN.search(getattr(cause, "detail", None) or "")
            raise NameTakenError(_NAMES[constraint], taken[1] if taken else "this") from error
        if constraint in _KEYS:
            raise ConcurrentChangeError(_KEYS[constraint]) from error
        raise


class PostgresUnitOfWork:
    def __init__(self, connection: AsyncConnection, open_days: KnownOpenDays, meter: Meter = NO_METER) -> None:
        self._connection = connection
        self._meter = meter
        self._rejected: list[Rejected] = []
        self.jobs = PostgresJobs(connection)
        self.calendars = PostgresCalendars(connection, open_days)
        self.schedules = PostgresSchedules(connection, open_days)
        self.catch_ups = PostgresCatchUps(connection)
        self.misses = PostgresMisses(connection)
        self.runs = PostgresRuns(connection)
        self.waiting = PostgresWaiting(connection, self.runs)
        self.workers = PostgresWorkers(connection)
        self.redrives = PostgresRedrives(connection)
        self.backfills = PostgresBackfills(connection)
        self.answers = PostgresAnswers(connection)

    def reject(self, reports: Iterable[Rejected]) -> None:
        self._rejected.extend(reports)

    async def commit(self) -> None:
        with _uniqueness_told():
            jobs = await self.jobs.write()
            calendars = await self.calendars.write()
            schedules = await self.schedules.write()
            runs = await self.runs.write()
        await self.misses.write()
        await self.catch_ups.write()
        workers = await self.workers.write()
        await self.redrives.write()
        await self.backfills.write()
        await self.answers.write()
        if self._rejected:
            await self._write_rejected()
        recorded = await log.append(self._connection, [*jobs, *calendars, *schedules, *workers, *runs])
        await self._connection.commit()
        self._meter.committed(recorded, len(self._rejected))

    async def _write_rejected(self) -> None:
        now = await self._connection.scalar(select(func.clock_timestamp()))
        await self._connection.execute(
            insert(rejected_reports),
            [
                {
                    "tenant_id": report.tenant_id,
                    "id": uuid7(),
                    "at": now,
                    "reason": report.reason,
                    "kind": report.kind,
                    "run_id": report.run_id,
                    "attempt": report.attempt,
                    "worker_id": report.worker_id,
                    "body": report.body,
                }
                for report in self._rejected
            ],
        )


class PostgresBegin:
    """`begin()` opens a fresh unit of work on a connection of this pool."""

    def __init__(self, engine: AsyncEngine, meter: Meter = NO_METER) -> None:
        self._engine = engine
        self._meter = meter
        self._open_days = KnownOpenDays()

    def __call__(self) -> AbstractAsyncContextManager[UnitOfWork]:
        return self._begin()

    @asynccontextmanager
    async def _begin(self) -> AsyncIterator[UnitOfWork]:
        async with translated(), self._engine.connect() as connection:
            yield PostgresUnitOfWork(connection, self._open_days, self._meter)
