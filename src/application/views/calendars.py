"""How a calendar and its days look to those outside."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import time

from rota.application.views.values import View
from rota.domain.calendar import CalendarSnapshot
from rota.domain.calendars.definition import (
    Closure,
    EasterOffset,
    ExtraOpenDay,
    FixedDate,
    Holiday,
    NthWeekday,
    OpeningHours,
    PublicHolidays,
    Weekday,
)
from rota.domain.calendars.open_days import DayVerdict


def calendar_view(calendar: CalendarSnapshot) -> View:
    own = calendar.definition
    return {
        "id": calendar.id,
        "tenantId": calendar.tenant_id,
        "name": own.name,
        "description": own.description,
        "labels": own.labels,
        "tz": own.tz,
        "workingDays": weekdays_view(own.working_days),
        "holidays": [holiday_view(each) for each in own.holidays],
        "closures": [closure_view(each) for each in own.closures],
        "extraOpenDays": [extra_open_day_view(each) for each in own.extra_open_days],
        "openingHours": [opening_hours_view(each) for each in own.opening_hours],
        "includes": list(own.includes),
        "createdAt": calendar.created_at,
        "updatedAt": calendar.updated_at,
        "version": calendar.version,
    }


def holiday_view(holiday: Holiday) -> View:
    match holiday:
        case FixedDate():
            what: View = {"month": holiday.month, "day": holiday.day, "name": holiday.name}
        case NthWeekday():
            what = {
                "month": holiday.month,
                "weekday": holiday.weekday.name,
                "nth": holiday.nth,
                "name": holiday.name,
            }
        case EasterOffset():
            what = {"offsetDays": holiday.offset, "orthodox": holiday.orthodox, "name": holiday.name}
        case PublicHolidays():
            what = {"country": holiday.country, "subdivision": holiday.subdivision}
        case _:
            raise AssertionError(f"a holiday without a view: {holiday!r}")
    return {"kind": holiday.kind, **what}


def closure_view(closure: Closure) -> View:
    return {"from": closure.first.isoformat(), "to": closure.last.isoformat(), "reason": closure.reason}


def extra_open_day_view(extra: ExtraOpenDay) -> View:
    return {"date": extra.day.isoformat(), "reason": extra.reason}


def opening_hours_view(hours: OpeningHours) -> View:
    closes = "24:00" if hours.closes == time(0) else local_time(hours.closes)
    return {"weekdays": weekdays_view(hours.weekdays), "from": local_time(hours.opens), "to": closes}


def weekdays_view(weekdays: Iterable[Weekday]) -> list[str]:
    return [weekday.name for weekday in sorted(weekdays)]


def day_view(verdict: DayVerdict) -> View:
    return {"date": verdict.day.isoformat(), "open": verdict.is_open, "reason": verdict.reason or None}


def local_time(at: time) -> str:
    """With seconds only where there are some."""
    return at.isoformat("seconds" if at.second else "minutes")
