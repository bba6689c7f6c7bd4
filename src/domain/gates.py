"""What a run may have to wait behind, by name: `Run.parked_on`."""

from __future__ import annotations

from rota.domain.ids import ScheduleId
from rota.domain.job import JobTerms


def schedule_gate(schedule_id: ScheduleId) -> str:
    """The gate that opens when no earlier run of the schedule is unfinished."""
    return f"schedule:{schedule_id}"


def key_gate(terms: JobTerms, key: str) -> str:
    """The gate that opens when no run of the job with this concurrency key is queued or running."""
    return f"key:{terms.id}:{key}"
