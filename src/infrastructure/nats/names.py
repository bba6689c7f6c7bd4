"""Names on the bus: streams, consumers, subjects, message ids.

Server and worker SDK both build names only here; the contract's section 3 is the source.
A tenant, queue or event name is one subject token; a topic may be several.
"""

from __future__ import annotations

from typing import Final, NamedTuple
from uuid import UUID

EVENTS: Final = "ROTA_EVENTS"
WORK: Final = "ROTA_WORK"
REPORTS: Final = "ROTA_REPORTS"
TOPICS: Final = "ROTA_TOPICS"

INTAKE: Final = "intake"
TRIGGERS: Final = "triggers"

AGGREGATES: Final = ("schedule", "job", "calendar", "run", "worker")

# Each aggregate by name: `scheduler.*.*.*` would overlap the work subjects, and the server refuses that.
EVENT_SUBJECTS: Final = tuple(f"scheduler.{aggregate}.*.*" for aggregate in AGGREGATES)
WORK_SUBJECTS: Final = ("scheduler.work.>",)
REPORT_SUBJECTS: Final = ("scheduler.report.*",)
TOPIC_SUBJECTS: Final = ("topic.>",)


class Lane(NamedTuple):
    """One job's work on the bus."""

    tenant: str
    job_id: UUID

    @property
    def durable(self) -> str:
        """The name of the lane's consumer on `ROTA_WORK`."""
        return self.job_id.hex

    @property
    def subjects(self) -> str:
        """What the lane's consumer is given: the job's work, whichever queue it is in."""
        return work_subject(self.tenant, "*", self.job_id)


def event_subject(aggregate: str, event: str, tenant: str) -> str:
    """`scheduler.run.succeeded.acme`."""
    return f"scheduler.{aggregate}.{event}.{tenant}"


def command_subject(aggregate: str, verb: str, tenant: str) -> str:
    """Where a command is asked for by request and reply."""
    return f"scheduler.command.{aggregate}.{verb}.{tenant}"


def work_subject(tenant: str, queue: str, job_id: UUID) -> str:
    """Where a work message of a job is published."""
    return f"scheduler.work.{tenant}.{queue}.{job_id}"


def report_subject(tenant: str) -> str:
    """Where a worker's reports are published."""
    return f"scheduler.report.{tenant}"


def beat_subject(tenant: str) -> str:
    """Where a worker's heartbeats are answered."""
    return f"scheduler.beat.{tenant}"


def control_subject(tenant: str, worker_id: UUID) -> str:
    """Where a worker hears what concerns it between heartbeats."""
    return f"scheduler.control.{tenant}.{worker_id}"


def topic_subject(tenant: str, topic: str) -> str:
    """Where targets of kind EVENT, and of kind QUEUE on JetStream, are published."""
    return f"topic.{tenant}.{topic}"


def work_message_id(run_id: UUID | str, attempt: int, resent: int = 0) -> str:
    """`runId:attempt`; the n-th sending after a proven loss carries its n, so that it is no duplicate."""
    return f"{run_id}:{attempt}:{resent}" if resent else f"{run_id}:{attempt}"
