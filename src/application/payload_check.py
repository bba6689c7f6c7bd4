"""A payload must be what its job's schema says, before anything is stored."""

from __future__ import annotations

from rota.application.drafts import NamedJob, ScheduleDraft
from rota.application.ports.payloads import PayloadRules
from rota.domain.errors import InvalidError
from rota.domain.job import Job
from rota.domain.payload import Json


def check_payload(rules: PayloadRules, job: Job | None, payload: Json | None) -> None:
    """Raises InvalidError with the paths under `payload`; a job without a schema takes any."""
    if job is not None and job.definition.payload_schema is not None:
        rules.check(job.definition.payload_schema, payload)


def check_draft(rules: PayloadRules, draft: ScheduleDraft, job: Job | None) -> None:
    """As `check_payload`, of a schedule's target; the paths are under `target.payload`."""
    if isinstance(draft.target, NamedJob):
        try:
            check_payload(rules, job, draft.target.payload)
        except InvalidError as error:
            raise error.under("target") from error
