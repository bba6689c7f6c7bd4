"""Rows as Rota stores them, with what a story does not tell of left as it is at first."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from uuid_utils.compat import uuid7

TENANT = "acme"
Row: TypeAlias = dict[str, Any]  # Any: column values


def job_row(name: str, *, at: datetime) -> Row:
    return {
        "tenant_id": TENANT,
        "id": uuid7(),
        "name": name,
        "queue": "default",
        "definition": {},
        "from_registration": False,
        "created_at": at,
        "updated_at": at,
        "version": 1,
        "seq": 0,
    }


def worker_row(name: str, *, at: datetime) -> Row:
    return {
        "tenant_id": TENANT,
        "id": uuid7(),
        "name": name,
        "state": "ONLINE",
        "jobs": [],
        "capabilities": [],
        "slots": 10,
        "running": 0,
        "registered_at": at,
        "last_seen_at": at,
        "seq": 0,
    }


def schedule_row(name: str, trigger_kind: str, *, job: UUID, at: datetime) -> Row:
    """Before its first revision."""
    return {
        "tenant_id": TENANT,
        "id": uuid7(),
        "name": name,
        "labels": {},
        "target_kind": "JOB",
        "job_id": job,
        "trigger_kind": trigger_kind,
        "definition": {},
        "created_at": at,
        "runs_made": 0,
        "fired_epoch": 0,
        "version": 0,
        "seq": 0,
    }


def run_row(cause: str, due: datetime, *, made: datetime, job: UUID | None, receiver: str) -> Row:
    """Before its first step: of that job, or without one a delivery to a receiver of that kind."""
    carried_out = {"delivery": {"receiver": {"kind": receiver}}} if job is None else {"job_id": job}
    return {
        "tenant_id": TENANT,
        "id": uuid7(),
        **carried_out,
        "lane": receiver if job is None else str(job),
        "priority": 0,
        "awaited": False,
        "cause": cause,
        "scheduled_for": due,
        "due_at": due,
        "created_at": made,
        "started_at": None,
        "finished_at": None,
        "wake_at": None,
        "attempt": 0,
        "attempts": [],
        "worker_id": None,
        "sends": 0,
        "seq": 0,
    }
