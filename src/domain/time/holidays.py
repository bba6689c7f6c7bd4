"""Public holidays of countries and their subdivisions, and Easter.

The package `holidays` knows them for the years up to 2100; of later ones, and of years before a country was,
it knows none. Days that it can only estimate (those of the moon) say so in their names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from types import MappingProxyType

import holidays
from dateutil import easter

from rota.domain.errors import InvalidError

_LANGUAGE = "en_US"
_COUNTRY = re.compile(r"[A-Z]{2}")


@lru_cache(maxsize=4096)
def public_holidays(country: str, subdivision: str | None, year: int) -> Mapping[date, str]:
    """The public holidays of a year, days off in lieu included, with their names: English where there are such.

    Raises InvalidError on `country` or `subdivision`.
    """
    found = _known(country, subdivision, year)
    return MappingProxyType({day: found[day] for day in sorted(found) if day.year == year})


def check_country(country: str, subdivision: str | None) -> None:
    """Raises InvalidError on `country` or `subdivision`, where nothing is known of it."""
    of_the_country = _known(country, None, None)
    if subdivision is not None and subdivision not in of_the_country.subdivisions:
        known = ", ".join(of_the_country.subdivisions) or "none"
        raise InvalidError(f"no subdivision {subdivision!r} of {country} is known; {known} are", "subdivision")


@lru_cache(maxsize=1024)
def easter_sunday(year: int, *, orthodox: bool = False) -> date:
    """In the calendar of today, also for the orthodox churches."""
    return easter.easter(year, easter.EASTER_ORTHODOX if orthodox else easter.EASTER_WESTERN)


def _known(country: str, subdivision: str | None, year: int | None) -> holidays.HolidayBase:
    unknown = InvalidError(f"no holidays are known of {country!r}; an ISO code such as DE is needed", "country")
    if not _COUNTRY.fullmatch(country):
        raise unknown
    try:
        return holidays.country_holidays(country, subdiv=subdivision, years=year, language=_language_of(country))
    except NotImplementedError as error:
        raise unknown from error


@lru_cache(maxsize=512)
def _language_of(country: str) -> str | None:
    """One that there is: without, or with another, the names would come in that of the machine."""
    found = holidays.country_holidays(country)
    return _LANGUAGE if _LANGUAGE in found.supported_languages else found.default_language
