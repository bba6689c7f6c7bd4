"""What a caller says of a schedule, before the store has been asked what it names."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from rota.domain.errors import InvalidError
from rota.domain.job import Job
from rota.domain.misfire import Misfire
from rota.domain.payload import Json
from rota.domain.schedule_definition import ScheduleDefinition
from rota.domain.target import JobTarget
from rota.domain.trigger import Trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleDraft:
    """A definition whose job is still a name."""

    name: str
    trigger: Trigger
    job: str
    tz: str
    payload: Json | None = None
    description: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    misfire: Misfire = field(default_factory=Misfire)
    start_at: datetime | None = None
    end_at: datetime | None = None
    max_runs: int | None = None
    enabled: bool = True

    def definition(self, job: Job | None) -> ScheduleDefinition:
        """Raises InvalidError if there is no such job."""
        if job is None:
            raise InvalidError(f"there is no job named {self.job!r}", "target.job")
        return ScheduleDefinition(
            name=self.name,
            trigger=self.trigger,
            target=JobTarget(job.terms(), self.payload),
            tz=self.tz,
            description=self.description,
            labels=self.labels,
            misfire=self.misfire,
            start_at=self.start_at,
            end_at=self.end_at,
            max_runs=self.max_runs,
        )
