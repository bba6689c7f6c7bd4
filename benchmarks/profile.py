"""Where the time goes: server and worker by samples, statements of Postgres by its own count."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import asyncpg

from benchmarks.service import Service, samples_of
from benchmarks.usage import used
from rota.infrastructure.embedded.postgres import EmbeddedPostgres

SAMPLED = ("server", "worker")
TOP = 200
"""So many rows are kept."""
EVERYWHERE = 0.9
"""A function within which more than this share of the time goes is only the way in."""

_STATEMENTS = """
    SELECT query, calls, rows, total_exec_time + total_plan_time AS ms, wal_bytes::bigint AS wal
    FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat_statements%' ORDER BY ms DESC LIMIT $1
"""

Table = dict[str, Any]  # Any: JSON


class Profile:
    """Of one stretch of a benchmark; does nothing where none is wanted.

    `prepare` before the service starts, `begin` and `end` around the stretch, `tables` after the service has ended.
    """

    def __init__(self, directory: Path, *, is_wanted: bool) -> None:
        self._directory = directory
        self._is_wanted = is_wanted
        self._before: dict[str, float] = {}
        self._cost: dict[str, float] = {}
        self._statements: list[list[Any]] = []  # Any: JSON

    async def prepare(self) -> None:
        """Makes the cluster that `rota up` will find, with Postgres's own count of statements switched on."""
        if not self._is_wanted:
            return
        postgres = EmbeddedPostgres(
            self._directory / "data" / "postgres", settings={"shared_preload_libraries": "pg_stat_statements"}
        )
        await postgres.start()
        try:
            database = await asyncpg.connect(postgres.url, ssl=False, timeout=10)
            await database.execute("CREATE EXTENSION pg_stat_statements")
            await database.execute("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'")
            await database.execute("ALTER SYSTEM SET pg_stat_statements.track_planning = on")
            await database.close()
        finally:
            await postgres.stop()

    async def begin(self, under: Service) -> None:
        if self._is_wanted:
            await under.database.execute("SELECT pg_stat_statements_reset()")
            self._before = under.meter.cpu()
            self._toggle(under)

    async def end(self, under: Service, runs: int) -> None:
        """What was spent is shared out over so many runs."""
        if self._is_wanted:
            self._toggle(under)
            spent = used(self._before, under.meter.cpu())
            self._cost = {party: seconds / runs * 1e6 for party, seconds in spent.items()}
            self._statements = [
                [round(row["ms"] * 1000 / runs, 1), row["calls"], row["rows"], round(row["wal"] / runs), row["query"]]
                for row in await under.database.fetch(_STATEMENTS, TOP)
            ]

    def tables(self) -> list[Table]:
        if not self._is_wanted:
            return []
        columns = ["µs per run", "calls", "rows", "WAL bytes per run", "statement"]
        statements = _table("postgres: time in statements, waiting for the disk included", columns, self._statements)
        samples = [table for party in SAMPLED for table in _shared_out(self._directory, party, self._cost[party])]
        return [statements, *samples]

    def _toggle(self, under: Service) -> None:
        for party in SAMPLED:
            under.programs[party].signal(signal.SIGUSR1)


def _shared_out(directory: Path, party: str, cost: float) -> list[Table]:
    counted = json.loads(samples_of(directory, party).read_bytes())
    total = max(counted["samples"], 1)

    def top(counts: dict[str, int], what: str, column: str) -> Table:
        ranked = sorted(counts.items(), key=lambda item: -item[1])[:TOP]
        rows = [[round(cost * count / total, 1), f"{count / total:.1%}", name] for name, count in ranked]
        return _table(f"{party}: {what} ({total} samples)", ["µs per run", "share", column], rows)

    own_by_function: dict[str, int] = {}
    for line, count in counted["own"].items():
        function = line.rpartition(":")[0]
        own_by_function[function] = own_by_function.get(function, 0) + count
    parts = {name: count for name, count in counted["within"].items() if count < EVERYWHERE * total}
    return [
        top(own_by_function, "own time by function", "function"),
        top(counted["own"], "own time by line", "line"),
        top(parts, "time within, what it calls included", "function"),
    ]


def _table(title: str, columns: list[str], rows: list[list[Any]]) -> Table:  # Any: JSON
    return {"title": title, "columns": columns, "rows": rows}
