"""Triggers on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from rota.domain.ids import TenantId
from rota.domain.subjects import check_own_subject
from rota.domain.trigger import Cron, FixedDelay, FixedRate, OneShot, OnEvent, Trigger
from rota.entrypoints.http.wire.base import (
    Answer,
    Compared,
    Instant,
    InstantOrLocal,
    NotYet,
    Seconds,
    Text,
    Wire,
    inside,
    seconds,
)


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


class FixedDelayIn(Wire):
    type: Literal["FIXED_DELAY"]
    delay_sec: Seconds

    def to_trigger(self) -> Trigger:
        return FixedDelay(seconds(self.delay_sec))


class OnEventIn(Wire):
    """`filter` maps JSON Pointers into the message to the values that must stand there."""

    type: Literal["EVENT"]
    subject: str = Field(examples=["topic.acme.orders.>"])
    filter: Annotated[dict[Text, Compared], Field(default_factory=dict, max_length=100, examples=[{"/kind": "new"}])]

    def to_trigger(self) -> Trigger:
        return OnEvent(self.subject, tuple(sorted(self.filter.items())))


TriggerIn: TypeAlias = Annotated[
    CronIn | OneShotIn | FixedRateIn | FixedDelayIn | OnEventIn, Field(discriminator="type")
]


def trigger_of(said: TriggerIn, tenant: TenantId) -> Trigger:
    """Raises InvalidError, also for events that are not the tenant's."""
    with inside("trigger"):
        trigger = said.to_trigger()
        if isinstance(trigger, OnEvent):
            check_own_subject(trigger.subject, tenant)
    return trigger


class CronOut(Answer):
    type: Literal["CRON"]
    cron: str


class OneShotOut(Answer):
    type: Literal["ONE_SHOT"]
    start_at: str


class FixedRateOut(Answer):
    type: Literal["FIXED_RATE"]
    every_sec: float
    anchor_at: datetime | None


class FixedDelayOut(Answer):
    type: Literal["FIXED_DELAY"]
    delay_sec: float


class OnEventOut(Answer):
    type: Literal["EVENT"]
    subject: str
    filter: dict[str, Any]


TriggerOut: TypeAlias = Annotated[
    CronOut | OneShotOut | FixedRateOut | FixedDelayOut | OnEventOut, Field(discriminator="type")
]
