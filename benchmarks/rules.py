"""(h) What the rules of time cost by themselves, without server, database and bus: CPU time of one thread.

Each round asks in another zone and for another minute, so that nothing is remembered from the one before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, product
from time import process_time
from uuid import UUID

from benchmarks.figures import Figure, Outcome, median_of
from benchmarks.size import Bench
from rota.domain.calendars.definition import CalendarDefinition, FixedDate, PublicHolidays
from rota.domain.calendars.open_days import OpenDays
from rota.domain.calendars.settling import OnClosed
from rota.domain.ids import CalendarId, JobId, ScheduleId, TenantId
from rota.domain.job import JobTerms
from rota.domain.schedule import Schedule
from rota.domain.schedule_definition import CalendarRule, ScheduleDefinition
from rota.domain.target import JobTarget
from rota.domain.time.cron import parse_cron
from rota.domain.time.zone import load_zone
from rota.domain.trigger import Cron, Ground, Rrule, Trigger

TITLE = "rules"
PREVIEW = 1_000
PREVIEW_WITHIN = 50.0
NEXT_WITHIN = 1_000.0
ONE_WITHIN = 20.0
"""Milliseconds, for a preview, for the next fires of all, and for one that is far away."""

ZONES = ("Europe/Berlin", "America/New_York", "Africa/Casablanca")
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)

PREVIEWS = (
    "{m} * * * * *",
    "{m} 9 * * 1-5",
    "{m} 2 * * *",
    "{m} 0 L * *",
    "{m} 0 * * 5#5",
    "{m} 0 1 1 *",
    "{m} 0 29 2 *",
    "{m} 0 * 2 5#5",
)
DISTINCT = [
    f"{{m}} {hour} {day} {month} {weekday}"
    for hour, day, month, weekday in product(
        ("0", "9", "*", "8-18", "*/3"),
        ("*", "7", "L", "1,15"),
        ("*", "2", "1-6", "3,9"),
        ("*", "1-5", "0", "5#3", "1L"),
    )
]
RECURRENCES = ("FREQ=MINUTELY", "FREQ=HOURLY;INTERVAL=7", "FREQ=MONTHLY;BYDAY=-1FR", "FREQ=YEARLY;BYWEEKNO=53")
CLOSED_FOR_EVER = CalendarDefinition(name="no leap days", holidays=(FixedDate(2, 29, "leap day"),))
BAVARIA = CalendarDefinition(name="Bavaria", holidays=(PublicHolidays("DE", "BY"),))


async def measure(bench: Bench) -> Outcome:
    outcome = Outcome(letter="h", title=TITLE)
    for figures in (_previews, _next_fires, _recurrences, _closed):
        bench.say(figures.__name__.strip("_").replace("_", " "))
        outcome.figures += figures(bench.size.runs)
        await asyncio.sleep(0)  # whoever wants to end this may
    return outcome


def _previews(_: int) -> Iterator[Figure]:
    for text in PREVIEWS:
        name = f"preview of {PREVIEW:,} fires, {_said(text)}"
        yield _in_each_zone(name, PREVIEW_WITHIN, lambda zone, n, text=text: _preview(Cron(text.format(m=n)), zone))


def _next_fires(count: int) -> Iterator[Figure]:
    texts = list(islice((each.format(m=minute) for minute in range(60) for each in DISTINCT), count))
    for text in texts:
        parse_cron(text)

    def ask(zone: str, _: int) -> object:
        ground = Ground(load_zone(zone), NOON)
        return [Cron(text).next_fire(NOON, ground) for text in texts]

    yield _in_each_zone(f"next fire of {len(texts):,} distinct expressions", NEXT_WITHIN, ask)


def _recurrences(_: int) -> Iterator[Figure]:
    for text in RECURRENCES:

        def ask(zone: str, n: int, text: str = text) -> object:
            ground = Ground(load_zone(zone), NOON)
            return Rrule(text, NOON - timedelta(days=20 * 366, minutes=n)).next_fire(NOON, ground)

        yield _in_each_zone(f"next fire, 20 years after its start, {text}", ONE_WITHIN, ask)


def _closed(_: int) -> Iterator[Figure]:
    """The calendar is worked out anew each time, as for one that nobody has asked before."""
    for text, days in (("{m} 0 29 2 *", CLOSED_FOR_EVER), ("{m} 0 29 2 0", CLOSED_FOR_EVER), ("{m} 0 1 1 *", BAVARIA)):

        def ask(zone: str, n: int, text: str = text, days: CalendarDefinition = days) -> object:
            return _schedule(Cron(text.format(m=n)), zone, OpenDays(days)).next

        yield _in_each_zone(f"next fire that never comes, {_said(text)}, {days.name}", ONE_WITHIN, ask)


def _in_each_zone(name: str, at_most: float, ask: Callable[[str, int], object]) -> Figure:
    return median_of(name, (_cost(ask, zone, n) for n, zone in enumerate(ZONES)), "ms", at_most=at_most)


def _cost(ask: Callable[[str, int], object], zone: str, n: int) -> float:
    began = process_time()
    ask(zone, n)
    return (process_time() - began) * 1e3


def _preview(trigger: Trigger, zone: str) -> object:
    """As `POST /schedules/preview` asks for it."""
    return list(islice(_schedule(trigger, zone).upcoming(NOON), PREVIEW))


def _schedule(trigger: Trigger, zone: str, open_days: OpenDays | None = None) -> Schedule:
    rule = CalendarRule(CalendarId(UUID(int=2)), OnClosed.SKIP) if open_days else None
    target = JobTarget(JobTerms(id=JobId(UUID(int=1)), name="noop", queue="default"))
    definition = ScheduleDefinition(name="x", tz=zone, trigger=trigger, target=target, calendar=rule)
    return Schedule.create(TenantId("x"), ScheduleId(UUID(int=3)), definition, now=NOON, open_days=open_days)


def _said(text: str) -> str:
    return text.format(m="n")
