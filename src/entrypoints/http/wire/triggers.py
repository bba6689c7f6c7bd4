"""Triggers on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from rota.domain.calendars.business_days import BusinessDay, Period
from rota.domain.ids import TenantId
from rota.domain.subjects import check_own_subject
from rota.domain.time.zone import ClockChange, Gap, Overlap
from rota.domain.trigger import Cron, FixedDelay, FixedRate, OnBusinessDay, OneShot, OnEvent, Rrule, Trigger
from rota.entrypoints.http.wire.base import (
    MOST_SECONDS,
    Answer,
    Compared,
    Instant,
    InstantOrLocal,
    LocalTime,
    Seconds,
    Text,
    Timeout,
    Whole,
    Wire,
    bounds,
    inside,
    seconds,
)


class DstIn(Wire):
    """What becomes of local times that the clock skips, or shows twice."""

    gap: Annotated[Gap, Field(strict=False)] = Gap.NEXT_VALID
    overlap: Annotated[Overlap, Field(strict=False)] = Overlap.FIRST


def to_change(said: DstIn | None) -> ClockChange | None:
    return None if said is None else ClockChange(said.gap, said.overlap)


class CronIn(Wire):
    type: Literal["CRON"]
    cron: str = Field(examples=["0 9 * * 1-5"], json_schema_extra={"format": "cron"})
    dst: DstIn | None = None

    def to_trigger(self) -> Trigger:
        return Cron(self.cron, to_change(self.dst))


class RruleIn(Wire):
    """`rrule` may have EXDATE and RDATE lines. Without `startAt` it begins at 00:00 local of the day of creation."""

    type: Literal["RRULE"]
    rrule: str = Field(examples=["FREQ=WEEKLY;BYDAY=MO,TH;BYHOUR=9;BYMINUTE=30"], json_schema_extra={"format": "rrule"})
    start_at: InstantOrLocal | None = None
    dst: DstIn | None = None

    def to_trigger(self) -> Trigger:
        return Rrule(self.rrule, self.start_at, to_change(self.dst))


class OnBusinessDayIn(Wire):
    """At a local time on the `day`th open day of each period of the schedule's calendar; -1 is the last."""

    type: Literal["BUSINESS_DAY"]
    day: Whole = Field(examples=[-1, 3])
    of: Annotated[Period, Field(strict=False)] = Period.MONTH
    at: LocalTime
    dst: DstIn | None = None

    def to_trigger(self) -> Trigger:
        return OnBusinessDay(BusinessDay(day=self.day, of=self.of, at=self.at, dst=to_change(self.dst)))


class OneShotIn(Wire):
    type: Literal["ONE_SHOT"]
    start_at: InstantOrLocal

    def to_trigger(self) -> Trigger:
        return OneShot(self.start_at)


class FixedRateIn(Wire):
    type: Literal["FIXED_RATE"]
    every_sec: Annotated[Seconds, bounds(1, MOST_SECONDS)]
    anchor_at: Instant | None = None

    def to_trigger(self) -> Trigger:
        return FixedRate(seconds(self.every_sec), self.anchor_at)


class FixedDelayIn(Wire):
    type: Literal["FIXED_DELAY"]
    delay_sec: Timeout

    def to_trigger(self) -> Trigger:
        return FixedDelay(seconds(self.delay_sec))


class OnEventIn(Wire):
    """`filter` maps JSON Pointers into the message to the values that must stand there."""

    type: Literal["EVENT"]
    subject: str = Field(examples=["topic.default.orders.>"], json_schema_extra={"format": "subject"})
    filter: Annotated[dict[Text, Compared], Field(default_factory=dict, max_length=100, examples=[{"/kind": "new"}])]

    def to_trigger(self) -> Trigger:
        return OnEvent(self.subject, tuple(sorted(self.filter.items())))


TriggerIn: TypeAlias = Annotated[
    CronIn | RruleIn | OnBusinessDayIn | OneShotIn | FixedRateIn | FixedDelayIn | OnEventIn,
    Field(discriminator="type"),
]


def trigger_of(said: TriggerIn, tenant: TenantId) -> Trigger:
    """Raises InvalidError, also for events that are not the tenant's."""
    with inside("trigger"):
        trigger = said.to_trigger()
        if isinstance(trigger, OnEvent):
            check_own_subject(trigger.subject, tenant)
    return trigger


class DstOut(Answer):
    gap: Gap
    overlap: Overlap


class CronOut(Answer):
    """`dst` is there only where it was said."""

    type: Literal["CRON"]
    cron: str
    dst: DstOut | None = None


class RruleOut(Answer):
    """`dst` is there only where it was said."""

    type: Literal["RRULE"]
    rrule: str
    start_at: str | None
    dst: DstOut | None = None


class OnBusinessDayOut(Answer):
    """`dst` is there only where it was said."""

    type: Literal["BUSINESS_DAY"]
    day: int
    of: Period
    at: str
    dst: DstOut | None = None


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
    CronOut | RruleOut | OnBusinessDayOut | OneShotOut | FixedRateOut | FixedDelayOut | OnEventOut,
    Field(discriminator="type"),
]
