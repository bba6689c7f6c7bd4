"""Triggers on the wire."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rota.domain.trigger import Cron, FixedRate, OneShot, Trigger
from rota.entrypoints.http.wire.base import Instant, InstantOrLocal, NotYet, Seconds, Wire, seconds


class CronIn(Wire):
    type: Literal["CRON"]
    cron: str = Field(examples=["0 9 * * 1-5"])
    dst: Annotated[object, NotYet(None)] = None

    def to_trigger(self) -> Trigger:
        return Cron(self.cron)


class OneShotIn(Wire):
    type: Literal["ONE_SHOT"]
    start_at: InstantOrLocal

    def to_trigger(self) -> Trigger:
        return OneShot(self.start_at)


class FixedRateIn(Wire):
    type: Literal["FIXED_RATE"]
    every_sec: Seconds
    anchor_at: Instant | None = None

    def to_trigger(self) -> Trigger:
        return FixedRate(seconds(self.every_sec), self.anchor_at)


TriggerIn = Annotated[CronIn | OneShotIn | FixedRateIn, Field(discriminator="type")]
