"""Which runs are dead letters, as conditions on `runs`."""

from __future__ import annotations

from sqlalchemy import ColumnElement, exists, literal, literal_column, select

from rota.domain.ids import TenantId
from rota.domain.redrive import LetterFilter
from rota.infrastructure.postgres.reads import has_labels
from rota.infrastructure.postgres.tables import jobs, runs

DEAD = runs.c.state == literal_column("'DEAD'")
"""No parameter: a plan for any value could not use an index of the DEAD ones only."""

_again = runs.alias("again")

NEVER_RETRIED = ~exists(
    select(literal(1)).where(
        _again.c.tenant_id == runs.c.tenant_id, _again.c.retry_of == runs.c.id, _again.c.retry_of.is_not(None)
    )
)


def letters(tenant_id: TenantId, wanted: LetterFilter) -> list[ColumnElement[bool]]:
    conditions = [runs.c.tenant_id == tenant_id, DEAD, runs.c.fingerprint.is_not(None)]
    if wanted.fingerprint is not None:
        conditions.append(runs.c.fingerprint == wanted.fingerprint)
    if wanted.job is not None:
        named = select(jobs.c.id).where(jobs.c.tenant_id == tenant_id, jobs.c.name == wanted.job)
        conditions.append(runs.c.job_id.in_(named))
    if wanted.schedule_id is not None:
        conditions.append(runs.c.schedule_id == wanted.schedule_id)
    if wanted.labels:
        conditions.append(has_labels(runs, wanted.labels))
    if wanted.since is not None:
        conditions.append(runs.c.scheduled_for >= wanted.since)
    if wanted.until is not None:
        conditions.append(runs.c.scheduled_for < wanted.until)
    return conditions
