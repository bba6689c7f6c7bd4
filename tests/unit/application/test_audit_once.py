"""The auditor goes from schedule to schedule: what is right it passes, what is not it tells once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.support.builders import ACME, GLOBEX, HOUR, MINUTE, NOON, SECOND, a_calendar, a_job, a_schedule
from tests.unit.application.house import House

from rota.application import audit_once
from rota.application.audit_once import AuditOnce
from rota.application.catch_up import CatchUpOnce
from rota.application.change_schedule import ChangeSchedule
from rota.application.command import MessageBus
from rota.application.delete_schedule import DeleteSchedule
from rota.application.disable_schedule import DisableSchedule
from rota.application.drafts import NamedJob, ScheduleDraft
from rota.application.enable_schedule import EnableSchedule
from rota.application.fire_schedules import FireSchedules
from rota.application.resume_schedules import ResumeSchedules
from rota.application.skip_fires import SkipFires
from rota.domain.audit.round import AuditRound, Difference, DifferenceKind
from rota.domain.calendars.open_days import open_days_of
from rota.domain.calendars.settling import OnClosed
from rota.domain.misfire import MisfirePolicy, Span
from rota.domain.overlap import Overlap
from rota.domain.pause import MakeUp
from rota.domain.run_events import Cause
from rota.domain.schedule import Schedule
from rota.domain.schedule_definition import CalendarRule
from rota.domain.trigger import Cron, FixedDelay, FixedRate, OneShot, Trigger
from rota.entrypoints.bootstrap.upkeep import wire_audit
from rota.entrypoints.loops.audit import BETWEEN_ROUNDS, LONGEST_REST, SHORTEST_REST, rest_after
from rota.infrastructure.memory.audits import InMemoryAudits

A_WHILE = HOUR + 30 * SECOND


@dataclass
class Auditing:
    """The auditor in the house, and what it has found."""

    house: House
    bus: MessageBus = field(default_factory=MessageBus)

    def __post_init__(self) -> None:
        house = self.house
        wire_audit(self.bus, audits=InMemoryAudits(house.store), begin=house.begin, clock=house.clock)

    async def round(self) -> int:
        """A whole one; answers how many schedules it looked at."""
        seen = 0
        while looked_at := await self.bus.handle(AuditOnce()):
            seen += looked_at
        return seen

    @property
    def found(self) -> list[Difference]:
        return list(self.house.store.tables.audit_differences.values())

    @property
    def standing(self) -> AuditRound:
        standing = self.house.store.tables.audit_round
        assert standing is not None
        return standing


@pytest.fixture
def auditing(house: House) -> Auditing:
    return Auditing(house)


async def has(house: House, schedule: Schedule | None = None) -> Schedule:
    own = schedule or a_schedule()
    if not house.store.tables.jobs:
        await house.has(a_job())
    await house.has(own)
    return own


async def lead(house: House, until: timedelta, step: timedelta = MINUTE) -> None:
    """Somebody fires what is due, look after look."""
    ends = house.clock.now() + until
    while house.clock.now() < ends:
        while await house.handle(FireSchedules(1)):
            pass
        while await house.handle(CatchUpOnce()):
            pass
        house.clock.advance(step)


def lose(house: House, *minutes: int) -> None:
    """The runs of these due times vanish, as if they had never been made."""
    runs = house.store.tables.runs
    for key in [key for key, run in runs.items() if run.scheduled_for in {NOON + n * MINUTE for n in minutes}]:
        del runs[key]


class TestADifference:
    async def test_is_kept_logged_and_told_as_an_event_once(self, house: House, auditing: Auditing) -> None:
        schedule = await has(house)
        await lead(house, A_WHILE)
        lose(house, 10, 11, 30)

        with capture_logs() as logs:
            await auditing.round()
            await auditing.round()

        assert auditing.found == [
            Difference(
                ACME,
                schedule.id,
                DifferenceKind.MISSING,
                Span(NOON + 10 * MINUTE, NOON + 30 * MINUTE, 3),
                house.clock.now(),
            )
        ]
        (told,) = [entry for entry in await house.events() if entry.type == "schedule.audited"]
        assert (told.subject, '"difference":"MISSING"' in told.data, '"count":3' in told.data) == (
            schedule.id,
            True,
            True,
        )
        (line,) = [line for line in logs if line["event"] == "audit_difference"]
        assert (line["schedule"], line["kind"], line["count"]) == (str(schedule.id), "MISSING", 3)

    async def test_does_not_change_the_schedule(self, house: House, auditing: Auditing) -> None:
        schedule = await has(house)
        await lead(house, A_WHILE)
        lose(house, 10)
        before = await house.schedule(schedule.id)

        await auditing.round()

        after = await house.schedule(schedule.id)
        assert (after.version, after.next, after.updated_at) == (before.version, before.next, before.updated_at)

    async def test_is_a_run_too_many(self, house: House, auditing: Auditing) -> None:
        schedule = await has(house)
        await lead(house, A_WHILE)
        run = next(run for run in house.store.tables.runs.values() if run.scheduled_for == NOON + 7 * MINUTE)
        run.scheduled_for += SECOND

        await auditing.round()

        assert [(each.kind, each.span.first) for each in auditing.found] == [
            (DifferenceKind.MISSING, NOON + 7 * MINUTE),
            (DifferenceKind.EXTRA, NOON + 7 * MINUTE + SECOND),
        ]
        assert {each.schedule_id for each in auditing.found} == {schedule.id}

    async def test_of_a_deleted_schedule_is_kept_too(self, house: House, auditing: Auditing) -> None:
        schedule = await has(house)
        await lead(house, A_WHILE)
        lose(house, 10)
        await house.handle(DeleteSchedule(tenant_id=ACME, schedule_id=schedule.id))
        house.clock.advance(HOUR)

        await auditing.round()

        assert len(auditing.found) == 1
        assert await auditing.round() == 0


@pytest.mark.parametrize(
    "schedule",
    [
        a_schedule(),
        a_schedule(Cron("*/5 * * * *")),
        a_schedule(FixedRate(MINUTE)),
        a_schedule(OneShot(NOON + 5 * MINUTE)),
        a_schedule(OneShot(NOON - HOUR)),
        a_schedule(max_runs=7),
        a_schedule(start_at=NOON + 5 * MINUTE, end_at=NOON + 40 * MINUTE),
        a_schedule(overlap=Overlap.SKIP),
        a_schedule(overlap=Overlap.SKIP, max_runs=3),
        a_schedule(enabled=False),
        a_schedule(jitter=10 * MINUTE),
        a_schedule(FixedDelay(MINUTE)),
    ],
)
async def test_what_went_well_is_no_difference(house: House, auditing: Auditing, schedule: Schedule) -> None:
    await has(house, schedule)
    for _ in range(4):
        await lead(house, 30 * MINUTE + SECOND)
        await auditing.round()

    assert auditing.found == []


@pytest.mark.parametrize("policy", list(MisfirePolicy))
async def test_neither_is_what_an_outage_left_behind(house: House, auditing: Auditing, policy: MisfirePolicy) -> None:
    await has(house, a_schedule(policy=policy))
    house.clock.advance(3 * HOUR)
    await auditing.round()
    await house.handle(FireSchedules(1))
    await auditing.round()
    await lead(house, A_WHILE)
    await auditing.round()

    assert auditing.found == []
    assert auditing.standing.last is not None
    assert auditing.standing.last.audited_to == house.clock.now() - MINUTE


async def test_neither_is_what_changes_have_settled(house: House, auditing: Auditing) -> None:
    schedule = await has(house)
    for n, trigger in enumerate([FixedRate(2 * MINUTE, NOON), Cron("*/7 * * * *"), FixedRate(MINUTE, NOON)] * 2):
        await lead(house, 10 * MINUTE + n * SECOND, 20 * SECOND)
        draft = ScheduleDraft(name="x", trigger=trigger, target=NamedJob("reports.daily"), tz="UTC")
        await house.handle(ChangeSchedule(tenant_id=ACME, schedule_id=schedule.id, revise=lambda _, draft=draft: draft))
        await lead(house, 5 * MINUTE)
        await house.handle(DisableSchedule(tenant_id=ACME, schedule_id=schedule.id, reason=""))
        await lead(house, 5 * MINUTE)
        await house.handle(EnableSchedule(tenant_id=ACME, schedule_id=schedule.id, reason=""))
        if n % 2:
            await auditing.round()
    await lead(house, 5 * MINUTE)
    for _ in range(30):
        await auditing.round()

    assert auditing.found == []
    assert auditing.standing.last is not None
    assert auditing.standing.last.audited_to == house.clock.now() - MINUTE


@pytest.mark.parametrize("make_up", list(MakeUp))
@pytest.mark.parametrize("trigger", [None, Cron("*/5 * * * *"), OneShot(NOON + 12 * MINUTE)])
async def test_neither_is_what_a_pause_left_behind(
    house: House, auditing: Auditing, make_up: MakeUp, trigger: Trigger | None
) -> None:
    schedule = await has(house, a_schedule(trigger))
    await lead(house, 10 * MINUTE + SECOND)
    await house.handle(DisableSchedule(tenant_id=ACME, schedule_id=schedule.id, reason=""))
    await lead(house, 10 * MINUTE)
    await auditing.round()
    await house.handle(EnableSchedule(tenant_id=ACME, schedule_id=schedule.id, make_up=make_up))
    for _ in range(3):
        await auditing.round()
        await lead(house, 10 * MINUTE)

    assert auditing.found == []
    assert auditing.standing.last is not None


async def test_neither_is_what_a_pause_that_ended_late_made_due(house: House, auditing: Auditing) -> None:
    schedule = await has(house)
    await lead(house, 10 * MINUTE + SECOND)
    until = house.clock.now() + 10 * MINUTE
    await house.handle(DisableSchedule(tenant_id=ACME, schedule_id=schedule.id, reason="", until=until))
    house.clock.advance(20 * MINUTE)
    await house.handle(ResumeSchedules())
    for _ in range(3):
        await lead(house, 10 * MINUTE)
        await auditing.round()

    assert auditing.found == []


@pytest.mark.parametrize("wanted", [3, NOON + 15 * MINUTE])
async def test_neither_is_what_was_skipped_before_its_turn(house: House, auditing: Auditing, wanted: Any) -> None:
    schedule = await has(house)
    await lead(house, 10 * MINUTE + SECOND)
    await house.handle(SkipFires(tenant_id=ACME, schedule_id=schedule.id, wanted=wanted))
    await auditing.round()
    await lead(house, 20 * MINUTE)
    draft = ScheduleDraft(name="x", trigger=FixedRate(2 * MINUTE), target=NamedJob("reports.daily"), tz="UTC")
    await house.handle(SkipFires(tenant_id=ACME, schedule_id=schedule.id, wanted=5))
    await house.handle(ChangeSchedule(tenant_id=ACME, schedule_id=schedule.id, revise=lambda _: draft))
    for _ in range(3):
        await lead(house, 10 * MINUTE)
        await auditing.round()

    assert auditing.found == []


@pytest.mark.parametrize("on_closed", list(OnClosed))
async def test_neither_is_what_a_calendar_closes_or_moves(
    house: House, auditing: Auditing, on_closed: OnClosed
) -> None:
    calendar = a_calendar()
    await house.has(a_job(), calendar)
    open_days = open_days_of(calendar.id, {calendar.id: calendar.definition})
    await has(
        house, a_schedule(Cron("0 */8 * * *"), calendar=CalendarRule(calendar.id, on_closed), open_days=open_days)
    )
    for _ in range(6):
        await lead(house, timedelta(days=5), HOUR)
        await auditing.round()

    assert len(await house.runs()) > 40
    assert auditing.found == []


async def test_what_retention_has_removed_is_not_asked_for(house: House, auditing: Auditing) -> None:
    schedule = await has(house)
    await lead(house, A_WHILE)
    lose(house, 10, 11, 30)
    house.store.tables.removed_to[ACME, schedule.id] = NOON + 11 * MINUTE

    await auditing.round()

    assert [each.span for each in auditing.found] == [Span(NOON + 30 * MINUTE, NOON + 30 * MINUTE, 1)]


async def test_what_a_backfill_made_is_no_difference(house: House, auditing: Auditing) -> None:
    await has(house)
    await lead(house, A_WHILE)
    next(
        run for run in house.store.tables.runs.values() if run.scheduled_for == NOON + 7 * MINUTE
    ).cause = Cause.BACKFILL

    await auditing.round()

    assert auditing.found == []


class TestARound:
    async def test_takes_every_schedule_of_every_tenant_in_turn(
        self, house: House, auditing: Auditing, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(audit_once, "BATCH", 2)
        other = a_job(tenant_id=GLOBEX)
        await house.has(a_job(), other)
        await house.has(*(a_schedule(name=f"s{n}") for n in range(3)), a_schedule(job=other))
        await lead(house, A_WHILE)

        batches = []
        while looked_at := await auditing.bus.handle(AuditOnce()):
            batches.append(looked_at)

        assert batches == [2, 2]
        last = auditing.standing.last
        assert last is not None
        assert (last.schedules, last.uncovered, last.due_times) == (4, 0, 4 * 61)
        assert last.audited_to == house.clock.now() - MINUTE

    async def test_tells_how_many_have_no_second_opinion(self, house: House, auditing: Auditing) -> None:
        await has(house, a_schedule(FixedDelay(MINUTE)))
        house.clock.advance(HOUR)

        await auditing.round()

        assert auditing.standing.last is not None
        assert auditing.standing.last.uncovered == 1

    async def test_goes_on_where_it_was_under_another_leader(
        self, house: House, auditing: Auditing, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(audit_once, "BATCH", 1)
        await house.has(a_job())
        await house.has(*(a_schedule(name=f"s{n}") for n in range(3)))
        await lead(house, A_WHILE)
        await auditing.bus.handle(AuditOnce())

        assert await Auditing(house).round() == 2


class TestItsCost:
    def test_is_two_hundredths_of_the_time_at_most(self) -> None:
        assert rest_after(0.1, is_over=False) == pytest.approx(4.9)

    def test_leaves_no_time_so_short_or_so_long(self) -> None:
        assert rest_after(0.001, is_over=False) == SHORTEST_REST
        assert rest_after(9, is_over=False) == LONGEST_REST
        assert rest_after(0.001, is_over=True) == BETWEEN_ROUNDS
