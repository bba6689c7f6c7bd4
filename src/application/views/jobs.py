"""How a job looks to those outside, and the terms it shares with deliveries."""

from __future__ import annotations

from rota.application.views.values import RawJson, View, seconds, seconds_or_null
from rota.domain.job import JobSnapshot
from rota.domain.retry import RetryPolicy
from rota.domain.terms import RateLimit


def job_view(job: JobSnapshot) -> View:
    own = job.definition
    return {
        "id": job.id,
        "tenantId": job.tenant_id,
        "name": own.name,
        "labels": own.labels,
        "queue": own.queue,
        "capabilities": list(own.capabilities),
        "retry": retry_view(own.retry),
        "timeoutSec": seconds(own.timeout),
        "startBySec": seconds_or_null(own.start_by),
        "deadlineSec": seconds_or_null(own.deadline),
        "heartbeatTimeoutSec": seconds_or_null(own.heartbeat_timeout),
        "maxConcurrent": own.max_concurrent,
        "concurrencyKey": own.concurrency_key,
        "rateLimit": own.rate_limit and rate_limit_view(own.rate_limit),
        "priority": own.priority,
        "payloadSchema": RawJson(own.payload_schema),
        "retentionSec": seconds_or_null(own.retention),
        "createdAt": job.created_at,
        "updatedAt": job.updated_at,
        "version": job.version,
    }


def retry_view(retry: RetryPolicy) -> View:
    backoff = retry.backoff
    return {
        "maxAttempts": retry.max_attempts,
        "notOn": list(retry.not_on),
        "backoff": {
            "kind": backoff.kind,
            "initialSec": seconds(backoff.initial),
            "factor": backoff.factor,
            "maxSec": seconds(backoff.longest),
            "jitter": backoff.jitter,
        },
    }


def rate_limit_view(limit: RateLimit) -> View:
    return {"count": limit.count, "perSec": seconds(limit.per)}
