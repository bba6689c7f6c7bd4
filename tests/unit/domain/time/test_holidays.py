from __future__ import annotations

from datetime import date

import pytest

from rota.domain.errors import InvalidError
from rota.domain.time.holidays import check_country, easter_sunday, public_holidays


@pytest.mark.parametrize(
    ("country", "subdivision", "day", "name"),
    [
        ("DE", "BY", date(2026, 6, 4), "Corpus Christi"),
        ("DE", None, date(2026, 10, 3), "German Unity Day"),
        ("US", "CA", date(2026, 3, 31), "Cesar Chavez Day"),
        ("US", None, date(2026, 11, 26), "Thanksgiving"),
        ("GB", "SCT", date(2026, 1, 2), "New Year Holiday"),
        ("JP", None, date(2026, 2, 11), "Foundation Day"),
    ],
)
def test_the_holidays_of_countries_and_their_subdivisions_are_known(
    country: str, subdivision: str | None, day: date, name: str
) -> None:
    assert name in public_holidays(country, subdivision, 2026)[day]


def test_a_subdivision_has_more_than_its_country() -> None:
    assert date(2026, 1, 6) in public_holidays("DE", "BY", 2026)
    assert date(2026, 1, 6) not in public_holidays("DE", None, 2026)
    assert date(2026, 1, 6) not in public_holidays("DE", "BE", 2026)


def test_a_day_in_lieu_belongs_to_the_year_it_lies_in() -> None:
    assert public_holidays("US", None, 2021)[date(2021, 12, 31)] == "New Year's Day (observed)"
    assert date(2021, 12, 31) not in public_holidays("US", None, 2022)


def test_each_year_is_asked_for_once_and_cannot_be_changed() -> None:
    found = public_holidays("DE", "BY", 2027)

    assert public_holidays("DE", "BY", 2027) is found
    with pytest.raises(TypeError):
        found[date(2027, 1, 2)] = "mine"  # type: ignore[index]


def test_names_do_not_depend_on_the_language_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE", "th")

    assert public_holidays.__wrapped__("DE", None, 2026)[date(2026, 10, 3)] == "German Unity Day"


@pytest.mark.parametrize("country", ["", "XX", "de", "Germany", "DEU", "HolidayBase", "__doc__"])
def test_an_unknown_country_is_refused(country: str) -> None:
    with pytest.raises(InvalidError) as refusal:
        check_country(country, None)

    [fault] = refusal.value.faults
    assert fault.field == "country"


def test_an_unknown_subdivision_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(InvalidError, match="subdivision: no subdivision 'XX' of DE is known; BB, BE, .* are"):
        check_country("DE", "XX")
    with pytest.raises(InvalidError, match="subdivision: no subdivision 'XX' of JP is known; none are"):
        check_country("JP", "XX")


def test_easter_is_that_of_the_west_or_of_the_orthodox_churches() -> None:
    assert easter_sunday(2026) == date(2026, 4, 5)
    assert easter_sunday(2026, orthodox=True) == date(2026, 4, 12)
    assert easter_sunday(2025) == easter_sunday(2025, orthodox=True) == date(2025, 4, 20)
