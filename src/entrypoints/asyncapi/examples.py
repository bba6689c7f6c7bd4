"""One message of each kind, as it might be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Json = dict[str, Any]  # Any: JSON

RUN: Final = "0198c7d2-0000-7000-8000-000000000001"
SCHEDULE: Final = "0198c7d2-0000-7000-8000-000000000002"
JOB: Final = "0198c7d2-0000-7000-8000-000000000003"
CALENDAR: Final = "0198c7d2-0000-7000-8000-000000000004"
WORKER: Final = "0198c7d2-0000-7000-8000-000000000005"
EVENT: Final = "0198c7d2-0000-7000-8000-00000000000e"
SUBJECTS: Final = {"run": RUN, "schedule": SCHEDULE, "job": JOB, "calendar": CALENDAR, "worker": WORKER}
NINE: Final = "2026-01-05T09:00:00Z"
TENANT: Final = "acme"
ERROR: Final[Json] = {"type": "ConnectionError", "message": "no route to the mail server", "stack": None}

_AGE: Final[Json] = {"createdAt": "2026-01-02T10:00:00Z", "updatedAt": "2026-01-02T10:00:00Z", "version": 1}

SCHEDULE_DATA: Final[Json] = {
    "id": SCHEDULE,
    "tenantId": TENANT,
    "name": "daily-report",
    "description": "",
    "labels": {"team": "bi"},
    "tz": "Europe/Berlin",
    "enabled": True,
    "disabledUntil": None,
    "trigger": {"type": "CRON", "cron": "0 10 * * 1-5", "dst": None},
    "target": {"kind": "JOB", "job": "reports.daily", "payload": {"kind": "full"}},
    "retry": None,
    "timeoutSec": None,
    "calendar": None,
    "misfire": {"policy": "FIRE_ONCE", "graceSec": 30, "catchupWindowSec": None},
    "overlap": "ALLOW",
    "jitterSec": 0,
    "startAt": None,
    "endAt": None,
    "maxRuns": None,
    "priority": None,
    "nextFireAt": NINE,
    "lastFireAt": None,
    **_AGE,
}
JOB_DATA: Final[Json] = {
    "id": JOB,
    "tenantId": TENANT,
    "name": "reports.daily",
    "labels": {},
    "queue": "default",
    "capabilities": [],
    "retry": {
        "maxAttempts": 3,
        "notOn": [],
        "backoff": {"kind": "EXPONENTIAL", "initialSec": 1, "factor": 2.0, "maxSec": 3600, "jitter": 0.1},
    },
    "timeoutSec": 300,
    "startBySec": None,
    "deadlineSec": None,
    "heartbeatTimeoutSec": None,
    "maxConcurrent": None,
    "concurrencyKey": None,
    "rateLimit": None,
    "priority": 0,
    "payloadSchema": None,
    "retentionSec": None,
    **_AGE,
}
CALENDAR_DATA: Final[Json] = {
    "id": CALENDAR,
    "tenantId": TENANT,
    "name": "DE-BY",
    "description": "",
    "labels": {},
    "tz": None,
    "workingDays": ["MO", "TU", "WE", "TH", "FR"],
    "holidays": [],
    "closures": [],
    "extraOpenDays": [],
    "openingHours": [],
    "includes": [],
    **_AGE,
}
WORKER_DATA: Final[Json] = {
    "id": WORKER,
    "tenantId": TENANT,
    "name": "mill-1",
    "state": "ONLINE",
    "jobs": ["reports.daily"],
    "capabilities": [],
    "slots": 20,
    "running": 1,
    "lastSeenAt": NINE,
}

STATES: Final = {
    "created": "PENDING",
    "queued": "QUEUED",
    "started": "RUNNING",
    "progressed": "RUNNING",
    "succeeded": "SUCCEEDED",
    "failed": "RUNNING",
    "retrying": "RETRYING",
    "dead": "DEAD",
    "cancelrequested": "RUNNING",
    "cancelled": "CANCELLED",
    "skipped": "SKIPPED",
}


def _run_data(event: str, state: str) -> Json:
    was_taken = event not in ("created", "queued", "skipped")
    return {
        "runId": RUN,
        "scheduleId": SCHEDULE,
        "job": "reports.daily",
        "state": state,
        "cause": "SCHEDULE",
        "scheduledFor": NINE,
        "dueAt": NINE,
        "firedAt": "2026-01-05T09:00:00.004Z",
        "attempt": 0 if event in ("created", "skipped") else 1,
        "workerId": WORKER if was_taken else None,
        "reason": "OVERLAP" if event == "skipped" else None,
        "error": ERROR if event in ("failed", "retrying", "dead") else None,
    }


DATA: Final[Mapping[str, Json]] = {
    **{f"run.{event}": _run_data(event, state) for event, state in STATES.items()},
    "run.progressed": {**_run_data("progressed", "RUNNING"), "progress": {"value": 0.5, "note": "half of the rows"}},
    "run.missed": {"first": "2026-01-05T08:00:00Z", "last": NINE, "count": 2, "rule": "FIRE_ONCE"},
    "schedule.created": SCHEDULE_DATA,
    "schedule.updated": {**SCHEDULE_DATA, "jitterSec": 5, "version": 2},
    "schedule.enabled": {"version": 3, "reason": "", "nextFireAt": NINE, "catchUp": "NONE"},
    "schedule.disabled": {"version": 2, "reason": "maintenance", "until": "2026-01-05T12:00:00Z"},
    "schedule.skipped": {
        "dueTimes": [{"scheduledFor": NINE, "dueAt": NINE}],
        "nextFireAt": "2026-01-06T09:00:00Z",
        "reason": "holiday",
    },
    "schedule.deleted": {"version": 4},
    "schedule.audited": {"difference": "MISSING", "first": NINE, "last": NINE, "count": 1},
    "job.created": JOB_DATA,
    "job.updated": {**JOB_DATA, "queue": "mail", "version": 2},
    "job.deleted": {},
    "calendar.created": CALENDAR_DATA,
    "calendar.updated": {**CALENDAR_DATA, "workingDays": ["MO", "TU", "WE", "TH"], "version": 2},
    "calendar.deleted": {},
    "worker.registered": {**WORKER_DATA, "running": 0, "reason": ""},
    "worker.draining": {**WORKER_DATA, "state": "DRAINING", "reason": "asked to drain"},
    "worker.offline": {**WORKER_DATA, "state": "OFFLINE", "reason": "silent"},
    "worker.heartbeat": WORKER_DATA,
}
"""By type."""


def event(kind: str) -> Json:
    aggregate = "schedule" if kind == "run.missed" else kind.partition(".")[0]
    told: Json = {
        "specversion": "1.0",
        "id": EVENT,
        "source": "rota",
        "type": f"scheduler.{kind}",
        "subject": SUBJECTS[aggregate],
        "time": "2026-01-05T09:00:00.004Z",
        "datacontenttype": "application/json",
        "tenantid": TENANT,
    }
    if kind != "worker.heartbeat":
        told |= {"sequence": 4711, "aggregateseq": 2, "correlationid": RUN, "traceparent": None}
    return {**told, "data": DATA[kind]}


WORK: Final[Json] = {
    "runId": RUN,
    "attempt": 1,
    "tenantId": TENANT,
    "job": "reports.daily",
    "queue": "default",
    "payload": {"kind": "full"},
    "scheduledFor": NINE,
    "dueAt": NINE,
    "timeoutSec": 300.0,
    "deadline": None,
    "idempotencyKey": RUN,
    "correlationId": RUN,
    "traceparent": None,
}
_REPORT: Final[Json] = {"runId": RUN, "attempt": 1, "workerId": WORKER}
REPORTS: Final[list[Json]] = [
    {**_REPORT, "kind": "STARTED", "at": "2026-01-05T09:00:00.010Z"},
    {**_REPORT, "kind": "SUCCEEDED", "at": "2026-01-05T09:00:04Z", "result": {"rows": 3}},
]
BEAT: Final[Json] = {
    "workerId": WORKER,
    "at": "2026-01-05T09:00:03Z",
    "slots": 20,
    "running": [RUN],
    "reportSeq": {"stream": "2026-01-01T00:00:00Z", "seq": 512},
    "draining": False,
}
ORDERS: Final[list[Json]] = [{"kind": "CANCEL", "runId": RUN, "attempt": 1, "reason": "no longer wanted"}]
TOPIC: Final[Json] = {
    "specversion": "1.0",
    "id": RUN,
    "source": "rota",
    "type": "orders.due",
    "subject": SCHEDULE,
    "time": NINE,
    "scheduledfor": NINE,
    "datacontenttype": "application/json",
    "tenantid": TENANT,
    "data": {"kind": "full"},
}
