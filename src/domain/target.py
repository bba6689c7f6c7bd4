"""What a schedule fires: a job for workers, or a delivery that Rota makes itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from rota.domain.delivery import Delivery
from rota.domain.job import JobTerms
from rota.domain.payload import Json


@dataclass(frozen=True, slots=True)
class JobTarget:
    """A run of it is carried out by a worker that knows the job."""

    job: JobTerms
    payload: Json | None = None

    @property
    def kind(self) -> str:
        return "JOB"

    @property
    def terms(self) -> JobTerms:
        return self.job


@dataclass(frozen=True, slots=True)
class DeliveryTarget:
    """A run of it is delivered by Rota."""

    delivery: Delivery
    payload: Json | None = None

    @property
    def kind(self) -> str:
        return self.delivery.receiver.kind.value

    @property
    def terms(self) -> Delivery:
        return self.delivery


Target: TypeAlias = JobTarget | DeliveryTarget
