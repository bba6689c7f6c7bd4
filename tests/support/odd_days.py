"""`docs/odd-days.md`: what falls due where clocks are changed. `python -m tests.support.odd_days` writes it anew."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from textwrap import fill
from zoneinfo import ZoneInfo, reset_tzpath

from tests.support.clocks import HOUR, MINUTE, Turn, clock_changes

from rota.domain.time.cron import parse_cron
from rota.domain.time.rrule_text import parse_rrule
from rota.domain.time.zone import ClockChange, Gap, Overlap, load_zone

PAGE = Path(__file__).parents[2] / "docs" / "odd-days.md"

Due = Callable[[datetime, datetime, ZoneInfo, ClockChange | None], Iterable[datetime]]

HEAD = """\
# Odd days

What falls due on the days when a clock is changed. The tables are made by the rules themselves, and a test compares them:
`python -m tests.support.odd_days` writes them anew after a change of the tz database.

Each cell says what the clock reads when the rule is due, with its offset. *No `dst`* is what a schedule does that says
nothing of clock changes: cron follows Debian's cron, RRULE follows RFC 5545. The other columns are the values of
`dst: {"gap": …, "overlap": …}`.
"""


@dataclass(frozen=True)
class Story:
    """A zone, what is odd about it, and the years that show it."""

    zone: str
    text: str
    years: tuple[int, ...]


STORIES = (
    Story(
        "Europe/Berlin",
        "An hour forward in March, back in October, at 01:00 UTC with all of the European Union.",
        (2026,),
    ),
    Story("America/New_York", "At 02:00 of its own clock, three weeks before and one week after Europe.", (2026,)),
    Story(
        "Australia/Lord_Howe",
        "By half an hour, and on the southern hemisphere: back in April, forward in October. A rule for each half hour"
        " fires each half hour, one for each full hour does not.",
        (2026,),
    ),
    Story(
        "America/Santiago",
        "At midnight: in September the day begins at 01:00, so that a schedule for 00:00 has no such time; in April the"
        " hour before midnight comes twice.",
        (2026,),
    ),
    Story(
        "Africa/Casablanca",
        "An hour ahead all year, save in Ramadan: the dates follow the moon, and are known only as far as they were"
        " announced or worked out.",
        (2026,),
    ),
    Story(
        "Asia/Kathmandu",
        "5:45 ahead of UTC, without any change today. It came to that by a quarter of an hour that 1986 lacks at its"
        " beginning: no clock there has read that midnight.",
        (1985,),  # by UTC
    ),
    Story(
        "Pacific/Apia",
        "In 2011 Samoa went to the other side of the date line: 30 December 2011 is a Friday that never was. The clock went"
        " from the end of the 29th to the beginning of the 31st.",
        (2011,),
    ),
)


def page() -> str:
    return "\n".join([HEAD, *(line for story in STORIES for line in _chapter(story))]).rstrip() + "\n"


def _chapter(story: Story) -> Iterator[str]:
    zone = load_zone(story.zone)
    yield from (f"## {story.zone}", "", fill(story.text, 125), "")
    for year in story.years:
        for at in clock_changes(zone, year):
            yield from _day(Turn.seen(zone, at))


def _day(turn: Turn) -> Iterator[str]:
    low, high = sorted((turn.was, turn.reads))
    probe = low + (high - low) / 2 // (5 * MINUTE) * (5 * MINUTE)
    day = low.date()
    way = f"{'forward' if turn.is_gap else 'back'}, from {_bound(turn.was, day)} to {_bound(turn.reads, day)}"
    yield from (f"**{day:%A, %-d %B %Y}**: {way}, at {turn.at:%Y-%m-%dT%H:%MZ}.", "")
    columns = [None, *(ClockChange(gap=each) for each in Gap)]
    if not turn.is_gap:
        columns = [None, *(ClockChange(overlap=each) for each in Overlap)]
    yield f"| rule | no `dst` | {' | '.join(f'`{each}`' for each in (Gap if turn.is_gap else Overlap))} |"
    yield "| --- | --- | --- | --- | --- |"
    for text, due in _rules(probe):
        found = (_due_on(turn, due, change) for change in columns)
        yield f"| `{text}` | {' | '.join(_cell(times, turn.zone, day) for times in found)} |"
    hourly = (_due_on(turn, _cron("0 * * * *"), change) for change in columns)
    counts = (sum(at.astimezone(turn.zone).date() == day for at in times) for times in hourly)
    yield from (f"| `0 * * * *`, how often that day | {' | '.join(map(str, counts))} |", "")


def _rules(probe: datetime) -> Iterator[tuple[str, Due]]:
    for text in (f"{probe.minute} {probe.hour} * * *", f"*/30 {probe.hour} * * *"):
        yield text, _cron(text)
    text = f"FREQ=DAILY;BYHOUR={probe.hour};BYMINUTE={probe.minute}"
    rule, start = parse_rrule(text), datetime(1980, 1, 1)
    yield text, lambda low, high, zone, change: rule.between(low, high, start, zone, change)


def _cron(text: str) -> Due:
    return parse_cron(text).between


def _due_on(turn: Turn, due: Due, change: ClockChange | None) -> list[datetime]:
    """On the day of the change; on both where a gap takes the time from one day to the next."""
    dates = {turn.was.date(), turn.reads.date()} if turn.is_gap else {turn.reads.date()}
    found = due(turn.at - 30 * HOUR, turn.at + 30 * HOUR, turn.zone, change)
    return [at for at in found if at.astimezone(turn.zone).date() in dates]


def _cell(times: list[datetime], zone: ZoneInfo, day: date) -> str:
    local = [at.astimezone(zone) for at in times]
    return ", ".join(f"{_read(each, day)} {_offset(each)}" for each in local) or "none"


def _read(local: datetime, day: date) -> str:
    return f"{local:%H:%M}" if local.date() == day else f"{local:%-d %b %H:%M}"


def _bound(wall: datetime, day: date) -> str:
    return f"{wall:%H:%M}" if wall.date() == day else "24:00"


def _offset(local: datetime) -> str:
    return local.isoformat()[-6:]


if __name__ == "__main__":
    reset_tzpath(to=())  # as the service does: the package's data is the same on every machine
    ZoneInfo.clear_cache()
    load_zone.cache_clear()
    PAGE.write_text(page())
    sys.stdout.write(f"{PAGE.name} is written\n")
