from __future__ import annotations

from datetime import UTC, datetime
from itertools import product

import pytest

from rota.domain.errors import InvalidError
from rota.domain.time.zone import ClockChange, Gap, Overlap, load_zone, place


def local(text: str) -> datetime:
    return datetime.fromisoformat(text)


def instants(*texts: str) -> tuple[datetime, ...]:
    return tuple(datetime.fromisoformat(text).astimezone(UTC) for text in texts)


def test_a_zone_is_loaded_once_by_its_iana_name() -> None:
    zone = load_zone("America/Argentina/Buenos_Aires")

    assert zone.key == "America/Argentina/Buenos_Aires"
    assert load_zone("America/Argentina/Buenos_Aires") is zone


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Mars/Olympus",
        "America",
        "../../etc/passwd",
        "/etc/localtime",
        "Europe/../Europe/Berlin",
        "Europe//Berlin",
        "Europe/Berlin\n",
        "Europe/Berlin\0",
        "Europe\\Berlin",
        "localtime",
        "Factory",
        "posix/Europe/Berlin",
        "right/Europe/Berlin",
        "zone.tab",
        "__init__.py",
        "UTC+3",
        "Zürich",
        "x" * 5000,
    ],
)
def test_what_is_no_iana_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidError) as refusal:
        load_zone(name)

    [fault] = refusal.value.faults
    assert fault.field == ""
    assert fault.message == "unknown time zone; an IANA name such as Europe/Berlin is needed"


@pytest.mark.parametrize(("gap", "overlap"), list(product(Gap, Overlap)))
def test_an_ordinary_local_time_is_one_instant_whatever_the_policy(gap: Gap, overlap: Overlap) -> None:
    placed = place(local("2026-07-01T12:00"), load_zone("Europe/Berlin"), ClockChange(gap, overlap))

    assert placed == instants("2026-07-01T10:00Z")


SKIPPED = [
    # zone, skipped local time, first instant after the gap, later by the gap's length
    ("Europe/Berlin", "2026-03-29T02:00", "2026-03-29T03:00+02:00", "2026-03-29T03:00+02:00"),
    ("Europe/Berlin", "2026-03-29T02:30", "2026-03-29T03:00+02:00", "2026-03-29T03:30+02:00"),
    ("Europe/Berlin", "2026-03-29T02:59:59", "2026-03-29T03:00+02:00", "2026-03-29T03:59:59+02:00"),
    ("Australia/Lord_Howe", "2026-10-04T02:10", "2026-10-04T02:30+11:00", "2026-10-04T02:40+11:00"),
    ("Africa/Casablanca", "2026-03-22T02:30", "2026-03-22T03:00+01:00", "2026-03-22T03:30+01:00"),
    ("America/Santiago", "2026-09-06T00:00", "2026-09-06T01:00-03:00", "2026-09-06T01:00-03:00"),
    ("Pacific/Apia", "2011-12-30T12:00", "2011-12-31T00:00+14:00", "2011-12-31T12:00+14:00"),
    ("Asia/Kathmandu", "1986-01-01T00:05", "1986-01-01T00:15+05:45", "1986-01-01T00:20+05:45"),
    ("Africa/Monrovia", "1972-01-07T00:30", "1972-01-07T00:44:30+00:00", "1972-01-07T01:14:30+00:00"),
]


@pytest.mark.parametrize(("zone", "skipped", "next_valid", "shifted"), SKIPPED)
def test_a_skipped_local_time_is_placed_by_the_gap_policy(
    zone: str, skipped: str, next_valid: str, shifted: str
) -> None:
    placed = {gap: place(local(skipped), load_zone(zone), ClockChange(gap=gap)) for gap in Gap}

    assert placed[Gap.NEXT_VALID] == instants(next_valid)
    assert placed[Gap.SHIFT] == instants(shifted)
    assert placed[Gap.SKIP] == ()


REPEATED = [
    # zone, repeated local time, its first instant, its last
    ("Europe/Berlin", "2026-10-25T02:00", "2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00"),
    ("Europe/Berlin", "2026-10-25T02:59:59", "2026-10-25T02:59:59+02:00", "2026-10-25T02:59:59+01:00"),
    ("Australia/Lord_Howe", "2026-04-05T01:45", "2026-04-05T01:45+11:00", "2026-04-05T01:45+10:30"),
    ("Africa/Casablanca", "2026-02-15T02:15", "2026-02-15T02:15+01:00", "2026-02-15T02:15+00:00"),
    ("America/Santiago", "2026-04-04T23:30", "2026-04-04T23:30-03:00", "2026-04-04T23:30-04:00"),
    ("Pacific/Kwajalein", "1969-09-30T12:00", "1969-09-30T12:00+11:00", "1969-09-30T12:00-12:00"),
]


@pytest.mark.parametrize(("zone", "repeated", "first", "last"), REPEATED)
def test_a_repeated_local_time_is_placed_by_the_overlap_policy(zone: str, repeated: str, first: str, last: str) -> None:
    placed = {overlap: place(local(repeated), load_zone(zone), ClockChange(overlap=overlap)) for overlap in Overlap}

    assert placed[Overlap.FIRST] == instants(first)
    assert placed[Overlap.LAST] == instants(last)
    assert placed[Overlap.BOTH] == instants(first, last)


@pytest.mark.parametrize(
    ("zone", "wall", "instant"),
    [
        ("Europe/Berlin", "2026-03-29T01:59:59", "2026-03-29T01:59:59+01:00"),
        ("Europe/Berlin", "2026-03-29T03:00", "2026-03-29T03:00+02:00"),
        ("Europe/Berlin", "2026-10-25T01:59:59", "2026-10-25T01:59:59+02:00"),
        ("Europe/Berlin", "2026-10-25T03:00", "2026-10-25T03:00+01:00"),
        ("Pacific/Apia", "2011-12-29T23:59:59", "2011-12-29T23:59:59-10:00"),
        ("Pacific/Apia", "2011-12-31T00:00", "2011-12-31T00:00+14:00"),
    ],
)
def test_the_edges_of_a_clock_change_are_ordinary_times(zone: str, wall: str, instant: str) -> None:
    for gap, overlap in product(Gap, Overlap):
        assert place(local(wall), load_zone(zone), ClockChange(gap, overlap)) == instants(instant)


def test_a_clock_change_that_was_taken_back_after_a_week_is_seen() -> None:
    recife = load_zone("America/Recife")

    noons = [place(datetime(2000, 10, day, 12), recife, ClockChange()) for day in (7, 8, 14, 15)]

    assert noons == [
        instants("2000-10-07T12:00-03:00"),
        instants("2000-10-08T12:00-02:00"),
        instants("2000-10-14T12:00-02:00"),
        instants("2000-10-15T12:00-03:00"),
    ]
