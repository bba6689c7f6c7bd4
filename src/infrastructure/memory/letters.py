"""Which runs are dead letters, in memory."""

from __future__ import annotations

from rota.domain.ids import TenantId
from rota.domain.redrive import LetterFilter
from rota.domain.run import Run
from rota.domain.run_events import RunState
from rota.infrastructure.memory.reads import has_labels
from rota.infrastructure.memory.tables import Tables


def letters(tables: Tables, tenant_id: TenantId, wanted: LetterFilter, *, retried: bool = False) -> list[Run]:
    """The oldest first; `retried` says whether those of which another run is a retry are among them."""
    done = set() if retried else {run.retry_of for run in tables.runs.values() if run.tenant_id == tenant_id}
    own = (run for run in tables.runs.values() if run.tenant_id == tenant_id and run.id not in done)
    return sorted((run for run in own if _is_wanted(run, wanted)), key=lambda run: run.id)


def _is_wanted(run: Run, wanted: LetterFilter) -> bool:
    return (
        run.state is RunState.DEAD
        and run.fingerprint is not None
        and wanted.fingerprint in (None, run.fingerprint)
        and wanted.job in (None, run.job and run.job.name)
        and wanted.schedule_id in (None, run.schedule_id)
        and has_labels(run.labels, wanted.labels)
        and (wanted.since is None or run.scheduled_for >= wanted.since)
        and (wanted.until is None or run.scheduled_for < wanted.until)
    )
