from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest

from rota.domain.calendars.business_days import BusinessDay
from rota.domain.calendars.definition import (
    CalendarDefinition,
    Closure,
    ExtraOpenDay,
    FixedDate,
    OpeningHours,
    Weekday,
)
from rota.domain.calendars.open_days import OpenDays
from rota.domain.calendars.settling import OnClosed, settle
from rota.domain.misfire import DueTime
from rota.domain.notes import note_of
from rota.domain.time.zone import ClockChange, Gap, Overlap, load_zone
from rota.domain.trigger import Cron, FixedRate, Ground, OnBusinessDay, OneShot, Rrule, Trigger

BERLIN = load_zone("Europe/Berlin")
CREATED = datetime(2026, 1, 1, tzinfo=UTC)
MARCH, OCTOBER = datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
OFFICE = OpenDays(
    CalendarDefinition(
        name="office",
        holidays=(FixedDate(12, 24, "Christmas Eve"), FixedDate(12, 25, "Christmas Day")),
        closures=(Closure(date(2026, 12, 28), date(2026, 12, 31), "between the years"),),
        extra_open_days=(ExtraOpenDay(date(2026, 12, 5), "stocktaking"),),
    )
)


def notes_around(trigger: Trigger, at: datetime, zone: str = "Europe/Berlin") -> dict[str, str]:
    """What is said of each due time within some hours of an instant, by its local time."""
    ground = Ground(load_zone(zone), CREATED)
    found = trigger.fires_between(at - 6 * HOUR, at + 6 * HOUR, ground)
    return {
        each.astimezone(ground.zone).isoformat()[11:]: note_of(DueTime(each, each), trigger, ground) for each in found
    }


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


def note_on(text: str, on_closed: OnClosed, trigger: Trigger | None = None, since: str | None = None) -> str:
    """Of the due time that is scheduled for that local time, by the office's calendar."""
    ground = Ground(BERLIN, CREATED, open_days=OFFICE)
    at = local(text)
    landed = settle(at, BERLIN, OFFICE, on_closed)
    assert landed is not None
    before = local(since) if since else None
    return note_of(DueTime(at, landed), trigger or Cron("0 9 * * *"), ground, on_closed, since=before)


class TestClockChanges:
    def test_a_skipped_time_says_so(self) -> None:
        assert notes_around(Cron("30 2 * * *"), MARCH) == {
            "03:00:00+02:00": "02:30 does not exist in Europe/Berlin on 2026-03-29:"
            " due at 03:00, the first instant after the gap"
        }

    def test_one_that_is_shifted_says_so(self) -> None:
        assert notes_around(Cron("30 2 * * *", ClockChange(gap=Gap.SHIFT)), MARCH) == {
            "03:30:00+02:00": "02:30 does not exist in Europe/Berlin on 2026-03-29:"
            " due at 03:30, later by the length of the gap"
        }

    @pytest.mark.parametrize(
        ("cron", "skipped"),
        [
            ("0,30 2 * * *", "02:00 and 02:30 do"),
            ("0,20,40 2 * * *", "02:00, 02:20 and 02:40 do"),
            ("0-59 2 * * *", "02:00, 02:01, 02:02 and more do"),
            ("15 30 2 * * *", "02:30:15 does"),
        ],
    )
    def test_several_that_are_due_at_once_are_listed(self, cron: str, skipped: str) -> None:
        [note] = notes_around(Cron(cron), MARCH).values()

        assert note.startswith(f"{skipped} not exist in Europe/Berlin")

    def test_a_time_that_exists_is_not_touched_by_a_gap_beside_it(self) -> None:
        assert notes_around(Cron("0 1,3 * * *"), MARCH) == {"01:00:00+01:00": "", "03:00:00+02:00": ""}
        assert notes_around(Cron("30 3 * * *", ClockChange(gap=Gap.SHIFT)), MARCH) == {"03:30:00+02:00": ""}

    def test_a_repeated_time_says_which_it_is(self) -> None:
        twice = "02:30 comes twice in Europe/Berlin on 2026-10-25"

        first, last, both = (
            notes_around(Cron("30 2 * * *", ClockChange(overlap=overlap)), OCTOBER) for overlap in Overlap
        )

        assert first == {"02:30:00+02:00": f"{twice}: due the first time"}
        assert last == {"02:30:00+01:00": f"{twice}: due the second time"}
        assert both == {
            "02:30:00+02:00": f"{twice}: due both times, this is the first",
            "02:30:00+01:00": f"{twice}: due both times, this is the second",
        }

    def test_the_hours_around_a_repeated_one_are_not_touched(self) -> None:
        assert notes_around(Cron("30 1,3 * * *"), OCTOBER) == {"01:30:00+02:00": "", "03:30:00+01:00": ""}

    def test_it_holds_for_every_trigger_in_local_time(self) -> None:
        gap = ClockChange(gap=Gap.NEXT_VALID)
        rule = Rrule("FREQ=DAILY;BYHOUR=2;BYMINUTE=30\nRDATE:20260329T024500", datetime(2026, 1, 1), gap)
        once = OneShot(datetime(2026, 3, 29, 2, 30))
        every_day = OpenDays(CalendarDefinition(name="all", working_days=frozenset(Weekday)))
        ground = Ground(BERLIN, CREATED, open_days=every_day)
        last = OnBusinessDay(BusinessDay(day=29, at=time(2, 30)))

        [note] = notes_around(rule, MARCH).values()
        assert note.startswith("02:30 and 02:45 do not exist")
        [note] = notes_around(once, MARCH).values()
        assert note.startswith("02:30 does not exist")
        assert note_of(DueTime(MARCH, MARCH), last, ground).startswith("02:30 does not exist")

    def test_what_counts_seconds_is_touched_by_no_clock(self) -> None:
        assert set(notes_around(FixedRate(HOUR / 2, CREATED), OCTOBER).values()) == {""}

    def test_a_day_that_never_was(self) -> None:
        found = notes_around(Cron("0 12 * * *"), datetime(2011, 12, 30, 10, tzinfo=UTC), "Pacific/Apia")

        assert found == {
            "00:00:00+14:00": "12:00 does not exist in Pacific/Apia on 2011-12-30:"
            " due at 00:00, the first instant after the gap"
        }


class TestCalendars:
    def test_an_ordinary_open_day_is_not_worth_a_word(self) -> None:
        assert note_on("2026-12-23T09:00", OnClosed.SKIP) == ""

    def test_a_move_says_from_where_and_why(self) -> None:
        assert note_on("2026-12-24T09:00", OnClosed.NEXT_OPEN) == (
            "office is closed on 2026-12-24 (Christmas Eve): moved to Friday 2027-01-01"
        )
        assert note_on("2026-12-27T09:00", OnClosed.PREVIOUS_OPEN) == (
            "office is closed on 2026-12-27 (Sunday is no working day): moved to Wednesday 2026-12-23"
        )

    def test_a_move_into_a_gap_says_what_time_it_came_to(self) -> None:
        sunday = OpenDays(CalendarDefinition(name="sundays", working_days=frozenset({Weekday.SU})))
        at = local("2026-03-28T02:30")
        landed = settle(at, BERLIN, sunday, OnClosed.NEXT_OPEN)
        assert landed is not None

        note = note_of(
            DueTime(at, landed), Cron("30 2 * * 6"), Ground(BERLIN, CREATED, open_days=sunday), OnClosed.NEXT_OPEN
        )

        assert note == (
            "sundays is closed on 2026-03-28 (Saturday is no working day):"
            " moved to Sunday 2026-03-29 03:00, as 02:30 does not exist then"
        )

    def test_a_day_that_is_open_by_exception_says_so(self) -> None:
        assert note_on("2026-12-05T09:00", OnClosed.SKIP) == "office is open on 2026-12-05: stocktaking"

    def test_closed_hours_move_to_open_ones(self) -> None:
        hours = OpeningHours(frozenset({Weekday.MO}), time(12), time(18))
        mornings = OpenDays(CalendarDefinition(name="late mondays", opening_hours=(hours,)))
        ground = Ground(BERLIN, CREATED, open_days=mornings)
        at, landed = local("2026-12-07T09:00"), local("2026-12-08T09:00")

        note = note_of(DueTime(at, landed), Cron("0 9 * * *"), ground, OnClosed.NEXT_OPEN)

        assert (
            note
            == "late mondays is closed on 2026-12-07 (outside the opening hours: 09:00): moved to Tuesday 2026-12-08"
        )

    def test_closed_days_since_the_due_time_before_are_told(self) -> None:
        note = note_on("2027-01-01T09:00", OnClosed.SKIP, since="2026-12-23T09:00")

        assert note == (
            "office was closed on 2026-12-24 (Christmas Eve), 2026-12-25 (Christmas Day),"
            " 2026-12-28 (between the years) and more"
        )

    def test_weekends_are_nobodys_surprise(self) -> None:
        assert note_on("2026-12-14T09:00", OnClosed.SKIP, since="2026-12-11T09:00") == ""

    def test_a_closed_day_on_which_nothing_was_due_is_not_told(self) -> None:
        monday = Cron("0 9 * * 3,5")

        assert note_on("2027-01-01T09:00", OnClosed.SKIP, monday, since="2026-12-23T09:00") == (
            "office was closed on 2026-12-25 (Christmas Day) and 2026-12-30 (between the years)"
        )


def test_a_spread_says_by_how_much() -> None:
    at = local("2026-12-23T09:00")

    note = note_of(DueTime(at, at + timedelta(seconds=12.5)), Cron("0 9 * * *"), Ground(BERLIN, CREATED))

    assert note == "spread: later by 12.5 s"


def test_all_that_touched_it_is_told() -> None:
    ground = Ground(BERLIN, CREATED, open_days=OFFICE)
    landed = settle(MARCH, BERLIN, OFFICE, OnClosed.NEXT_OPEN)
    assert landed is not None

    note = note_of(DueTime(MARCH, landed + timedelta(seconds=3)), Cron("30 2 * * *"), ground, OnClosed.NEXT_OPEN)

    assert note == (
        "02:30 does not exist in Europe/Berlin on 2026-03-29: due at 03:00, the first instant after the gap;"
        " office is closed on 2026-03-29 (Sunday is no working day): moved to Monday 2026-03-30;"
        " spread: later by 3 s"
    )
