"""What is said of calendars, as stored JSON: days as 2026-12-24, times as 09:00:00, weekdays by their names."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, time
from functools import lru_cache
from typing import Any
from uuid import UUID

from rota.application.json import dump, load
from rota.domain.calendars.definition import (
    CalendarDefinition,
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
from rota.domain.ids import CalendarId


def dump_calendar(calendar: CalendarDefinition) -> str:
    return dump(
        {
            "name": calendar.name,
            "description": calendar.description,
            "labels": calendar.labels,
            "tz": calendar.tz,
            "working_days": _dump_weekdays(calendar.working_days),
            "holidays": [_dump_holiday(each) for each in calendar.holidays],
            "closures": [{"first": each.first, "last": each.last, "reason": each.reason} for each in calendar.closures],
            "extra_open_days": [{"day": each.day, "reason": each.reason} for each in calendar.extra_open_days],
            "opening_hours": [
                {"weekdays": _dump_weekdays(each.weekdays), "opens": each.opens, "closes": each.closes}
                for each in calendar.opening_hours
            ],
            "includes": calendar.includes,
        }
    )


@lru_cache(maxsize=1_000)
def load_calendar(text: str) -> CalendarDefinition:
    stored = load(text)
    return CalendarDefinition(
        name=stored["name"],
        description=stored["description"],
        labels=stored.get("labels", {}),
        tz=stored["tz"],
        working_days=_load_weekdays(stored["working_days"]),
        holidays=tuple(map(_load_holiday, stored["holidays"])),
        closures=tuple(
            Closure(date.fromisoformat(each["first"]), date.fromisoformat(each["last"]), each["reason"])
            for each in stored["closures"]
        ),
        extra_open_days=tuple(
            ExtraOpenDay(date.fromisoformat(each["day"]), each["reason"]) for each in stored["extra_open_days"]
        ),
        opening_hours=tuple(map(_load_hours, stored["opening_hours"])),
        includes=tuple(CalendarId(UUID(each)) for each in stored["includes"]),
    )


def _dump_holiday(holiday: Holiday) -> dict[str, Any]:  # Any: JSON
    match holiday:
        case FixedDate():
            return {"kind": holiday.kind, "month": holiday.month, "day": holiday.day, "name": holiday.name}
        case NthWeekday():
            return {
                "kind": holiday.kind,
                "month": holiday.month,
                "weekday": holiday.weekday.name,
                "nth": holiday.nth,
                "name": holiday.name,
            }
        case EasterOffset():
            return {
                "kind": holiday.kind,
                "offset": holiday.offset,
                "name": holiday.name,
                "orthodox": holiday.orthodox,
            }
        case PublicHolidays():
            return {"kind": holiday.kind, "country": holiday.country, "subdivision": holiday.subdivision}
    raise AssertionError(f"a holiday that is not stored: {holiday!r}")


def _load_holiday(stored: dict[str, Any]) -> Holiday:  # Any: JSON
    match stored["kind"]:
        case FixedDate.kind:
            return FixedDate(stored["month"], stored["day"], stored["name"])
        case NthWeekday.kind:
            return NthWeekday(stored["month"], Weekday[stored["weekday"]], stored["nth"], stored["name"])
        case EasterOffset.kind:
            return EasterOffset(stored["offset"], stored["name"], stored["orthodox"])
        case PublicHolidays.kind:
            return PublicHolidays(stored["country"], stored["subdivision"])
    raise AssertionError(f"a stored holiday of a later version: {stored['kind']}")


def _load_hours(stored: dict[str, Any]) -> OpeningHours:  # Any: JSON
    return OpeningHours(
        _load_weekdays(stored["weekdays"]), time.fromisoformat(stored["opens"]), time.fromisoformat(stored["closes"])
    )


def _dump_weekdays(weekdays: Iterable[Weekday]) -> list[str]:
    return [weekday.name for weekday in sorted(weekdays)]


def _load_weekdays(names: Iterable[str]) -> frozenset[Weekday]:
    return frozenset(Weekday[name] for name in names)
