"""Which days are open: examples first, then any calendar against the definition of the word."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rota.domain.calendars.definition import (
    CalendarDefinition,
    Closure,
    EasterOffset,
    ExtraOpenDay,
    FixedDate,
    NthWeekday,
    OpeningHours,
    PublicHolidays,
    Weekday,
)
from rota.domain.calendars.open_days import HORIZON, Cause, DayVerdict, OpenDays, open_days_of
from rota.domain.errors import InvalidError
from rota.domain.ids import CalendarId

DAY = timedelta(days=1)
BAVARIA = CalendarDefinition(name="DE-BY", holidays=(PublicHolidays("DE", "BY"),))
COMPANY = CalendarDefinition(
    name="Company",
    holidays=(FixedDate(12, 24, "Christmas Eve"), FixedDate(12, 31, "New Year's Eve")),
    closures=(Closure(date(2026, 8, 10), date(2026, 8, 21), "Works holiday"),),
    extra_open_days=(ExtraOpenDay(date(2026, 8, 12), "Stocktaking"), ExtraOpenDay(date(2026, 12, 24))),
)
BAVARIA_ID, COMPANY_ID, OTHER_ID = (CalendarId(UUID(int=n)) for n in (1, 2, 3))


def reasons(calendar: OpenDays, first: date, last: date) -> dict[str, str]:
    """The closed days and why."""
    return {f"{each.day}": each.reason for each in calendar.days(first, last) if not each.is_open}


class TestReasons:
    def test_every_closed_day_has_its_reason(self) -> None:
        assert reasons(OpenDays(BAVARIA), date(2026, 6, 3), date(2026, 6, 8)) == {
            "2026-06-04": "Corpus Christi",
            "2026-06-06": "Saturday is no working day",
            "2026-06-07": "Sunday is no working day",
        }

    def test_an_open_day_needs_none_but_an_extra_open_day_has_one(self) -> None:
        calendar = OpenDays(COMPANY)

        assert calendar.why(date(2026, 6, 3)) == DayVerdict(date(2026, 6, 3), Cause.WORKING_DAY)
        assert calendar.why(date(2026, 8, 12)) == DayVerdict(date(2026, 8, 12), Cause.EXTRA_OPEN_DAY, "Stocktaking")

    def test_an_extra_open_day_wins_over_a_closure_and_a_holiday_and_a_weekend(self) -> None:
        definition = CalendarDefinition(
            name="x",
            holidays=(FixedDate(8, 15, "Assumption Day"),),
            closures=(Closure(date(2026, 8, 15), date(2026, 8, 15), "Works holiday"),),
            extra_open_days=(ExtraOpenDay(date(2026, 8, 15)),),  # a Saturday
        )

        assert OpenDays(definition).is_open(date(2026, 8, 15))

    def test_a_closure_is_named_before_a_holiday_and_a_holiday_before_a_weekend(self) -> None:
        definition = CalendarDefinition(
            name="x",
            holidays=(
                FixedDate(8, 15, "Assumption Day"),
                FixedDate(8, 16, "Day after"),
                FixedDate(8, 16, "Second name"),
            ),
            closures=(Closure(date(2026, 8, 15), date(2026, 8, 15), "Works holiday"),),
        )

        assert reasons(OpenDays(definition), date(2026, 8, 15), date(2026, 8, 16)) == {
            "2026-08-15": "Works holiday",
            "2026-08-16": "Day after",
        }

    def test_working_days_are_what_one_says(self) -> None:
        definition = CalendarDefinition(name="Gulf", working_days=frozenset({Weekday.SU, Weekday.MO}))

        assert [day.isoformat() for day in OpenDays(definition).open_days(date(2026, 6, 1), date(2026, 6, 8))] == [
            "2026-06-01",
            "2026-06-07",
            "2026-06-08",
        ]

    def test_days_are_asked_for_from_first_to_last(self) -> None:
        calendar = OpenDays(BAVARIA)

        with pytest.raises(InvalidError, match="to: must not be before `from`"):
            calendar.days(date(2026, 1, 2), date(2026, 1, 1))
        with pytest.raises(InvalidError, match="to: must be less than 3,700 days after `from`"):
            calendar.days(date(2026, 1, 1), date(2040, 1, 1))
        assert len(list(calendar.days(date(2026, 1, 1), date(2026, 1, 1)))) == 1


class TestInclusion:
    def included(self, own: CalendarDefinition) -> OpenDays:
        return OpenDays(own, (OpenDays(BAVARIA),))

    def test_a_day_that_an_included_calendar_closes_is_closed_and_says_by_whom(self) -> None:
        calendar = self.included(CalendarDefinition(name="Company"))

        assert calendar.why(date(2026, 6, 4)) == DayVerdict(date(2026, 6, 4), Cause.INCLUDED, "DE-BY: Corpus Christi")
        assert not calendar.is_open(date(2026, 6, 4))

    def test_an_extra_open_day_of_ones_own_wins_over_it(self) -> None:
        calendar = self.included(CalendarDefinition(name="x", extra_open_days=(ExtraOpenDay(date(2026, 6, 4)),)))

        assert calendar.is_open(date(2026, 6, 4))
        assert calendar.is_open_at(datetime(2026, 6, 4, 12))

    def test_an_extra_open_day_of_the_included_one_does_not_open_ones_own_closed_day(self) -> None:
        other = OpenDays(CalendarDefinition(name="x", extra_open_days=(ExtraOpenDay(date(2026, 6, 6)),)))

        assert OpenDays(CalendarDefinition(name="y"), (other,)).why(date(2026, 6, 6)).cause is Cause.DAY_OFF

    def test_calendars_are_put_together_by_their_ids(self) -> None:
        company = CalendarDefinition(name="Company", includes=(BAVARIA_ID, OTHER_ID))
        other = CalendarDefinition(name="Other", includes=(BAVARIA_ID,))

        calendar = open_days_of(COMPANY_ID, {BAVARIA_ID: BAVARIA, COMPANY_ID: company, OTHER_ID: other})

        assert calendar.why(date(2026, 6, 4)).reason == "DE-BY: Corpus Christi"
        bavaria, also = calendar.included
        assert also.included == (bavaria,)

    def test_a_cycle_is_refused_with_its_names(self) -> None:
        definitions = {
            COMPANY_ID: CalendarDefinition(name="Company", includes=(BAVARIA_ID,)),
            BAVARIA_ID: CalendarDefinition(name="DE-BY", includes=(OTHER_ID,)),
            OTHER_ID: CalendarDefinition(name="Other", includes=(BAVARIA_ID,)),
        }

        with pytest.raises(InvalidError, match="includes: a calendar cannot include itself: DE-BY > Other > DE-BY"):
            open_days_of(COMPANY_ID, definitions)

    def test_an_unknown_one_is_refused(self) -> None:
        with pytest.raises(InvalidError, match=f"includes: there is no calendar {OTHER_ID}"):
            open_days_of(COMPANY_ID, {COMPANY_ID: CalendarDefinition(name="x", includes=(OTHER_ID,))})

    def test_a_few_that_include_each_other_again_and_again_are_many(self) -> None:
        ids = [CalendarId(UUID(int=n)) for n in range(8)]
        definitions = {
            own: CalendarDefinition(name=f"level {n}", includes=(ids[n - 1], ids[n - 1]) if n else ())
            for n, own in enumerate(ids)
        }

        assert open_days_of(ids[5], definitions).is_open(date(2026, 3, 2))
        with pytest.raises(InvalidError, match="includes: level 6 includes more than 100 calendars in all"):
            open_days_of(ids[7], definitions)


class TestOpeningHours:
    OFFICE = CalendarDefinition(
        name="Office",
        working_days=frozenset({Weekday.MO, Weekday.FR, Weekday.SA}),
        opening_hours=(
            OpeningHours(frozenset({Weekday.MO, Weekday.FR}), time(9), time(12)),
            OpeningHours(frozenset({Weekday.MO}), time(13), time(17)),
        ),
    )

    @pytest.mark.parametrize(
        ("local", "is_open"),
        [
            ("2026-06-01T09:00", True),
            ("2026-06-01T12:30", False),
            ("2026-06-01T16:59:59", True),
            ("2026-06-01T17:00", False),
            ("2026-06-05T14:00", False),
            ("2026-06-06T03:00", True),  # a weekday without hours is open all day
            ("2026-06-02T10:00", False),
        ],
    )
    def test_a_time_is_open_if_its_day_is_and_hours_cover_it(self, local: str, is_open: bool) -> None:
        assert OpenDays(self.OFFICE).is_open_at(datetime.fromisoformat(local)) is is_open
        assert OpenDays(self.OFFICE).why_at(datetime.fromisoformat(local)).is_open is is_open

    def test_the_reason_names_the_time(self) -> None:
        verdict = OpenDays(self.OFFICE).why_at(datetime(2026, 6, 5, 14))

        assert (verdict.is_open, verdict.reason) == (False, "outside the opening hours: 14:00")

    def test_hours_of_an_included_calendar_hold_too(self) -> None:
        calendar = OpenDays(CalendarDefinition(name="x"), (OpenDays(self.OFFICE),))

        assert calendar.is_open(date(2026, 6, 5))
        assert calendar.why_at(datetime(2026, 6, 5, 14)).reason == "Office: outside the opening hours: 14:00"


class TestNeighbours:
    def test_the_next_open_day(self) -> None:
        calendar = OpenDays(BAVARIA)

        assert calendar.next_open(date(2026, 4, 3)) == date(2026, 4, 7)  # Good Friday to Easter Monday
        assert calendar.next_open(date(2026, 4, 2)) == date(2026, 4, 2)

    def test_a_calendar_that_stays_closed_has_none_and_says_so(self) -> None:
        calendar = OpenDays(
            CalendarDefinition(
                name="x",
                holidays=(PublicHolidays("DE", "BY"),),
                closures=(Closure(date(2020, 1, 1), date(2060, 1, 1), "Closed down"),),
            )
        )
        assert calendar.next_open(date(2030, 1, 1)) is None


# Any calendar, against what the words mean.

DATES = st.dates(date(2025, 1, 1), date(2027, 12, 31))


@st.composite
def definitions(draw: st.DrawFn) -> CalendarDefinition:
    closures = draw(st.lists(st.tuples(DATES, st.integers(0, 40)), max_size=4))
    nth = st.builds(
        NthWeekday, st.integers(1, 12), st.sampled_from(Weekday), st.sampled_from([1, 2, 5, -1, -5]), st.just("nth")
    )
    return CalendarDefinition(
        name="x",
        working_days=draw(st.frozensets(st.sampled_from(Weekday), min_size=1)),
        holidays=tuple(
            draw(
                st.lists(
                    nth
                    | st.builds(FixedDate, st.integers(1, 12), st.integers(1, 28), st.just("fixed"))
                    | st.builds(EasterOffset, st.integers(-80, 230), st.just("easter"), st.booleans())
                    | st.sampled_from([PublicHolidays("DE", "BY"), PublicHolidays("US", "CA"), PublicHolidays("JP")]),
                    max_size=3,
                )
            )
        ),
        closures=tuple(Closure(first, first + n * DAY, "closed") for first, n in closures),
        extra_open_days=tuple(map(ExtraOpenDay, draw(st.lists(DATES, max_size=5)))),
    )


def is_open_by_definition(own: CalendarDefinition, included: list[CalendarDefinition], day: date) -> bool:
    if any(extra.day == day for extra in own.extra_open_days):
        return True
    if any(closure.first <= day <= closure.last for closure in own.closures):
        return False
    if any(day == other for holiday in own.holidays for other, _ in holiday.days_in(day.year)):
        return False
    return Weekday(day.weekday()) in own.working_days and all(is_open_by_definition(each, [], day) for each in included)


@settings(max_examples=60, deadline=None)
@given(own=definitions(), included=st.lists(definitions(), max_size=2), first=DATES)
def test_a_day_is_open_as_the_definition_says(
    own: CalendarDefinition, included: list[CalendarDefinition], first: date
) -> None:
    calendar = OpenDays(own, tuple(map(OpenDays, included)))

    for verdict in calendar.days(first, first + 60 * DAY):
        assert verdict.is_open is calendar.is_open(verdict.day) is is_open_by_definition(own, included, verdict.day)
        assert calendar.is_open_at(datetime.combine(verdict.day, time(12))) is verdict.is_open
        assert verdict.reason or verdict.cause is Cause.WORKING_DAY


@settings(max_examples=60, deadline=None)
@given(own=definitions(), day=DATES)
def test_nothing_between_a_day_and_its_next_open_day_is_open(own: CalendarDefinition, day: date) -> None:
    calendar = OpenDays(own)

    following = calendar.next_open(day)

    assert following is not None
    assert following - day < HORIZON
    assert calendar.is_open(following)
    assert list(calendar.open_days(day, following)) in ([following], [day])
