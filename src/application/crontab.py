"""Reading a crontab: what cron would run, with the line that says so.

Source: crontab(5) of Debian's cron and of cronie. `CRON_TZ` is cronie's and holds for the lines after it. `TZ`
sets no times in either: it is only part of the command's environment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rota.domain.errors import InvalidError
from rota.domain.time.cron import parse_cron
from rota.domain.time.zone import load_zone

_MAX_LINES = 100_000

_SETTING = re.compile(r"""\s*(?P<quote>["']?)(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P=quote)\s*=\s*(?P<value>.*?)\s*""")
_FIELDS = re.compile(r"(?:@\S+|\S+(?:[ \t]+\S+){4})(?=[ \t]|$)")
_HEADINGS = re.compile(r"m(in(ute)?s?)?\s+h(ours?)?\s.*", re.IGNORECASE)
_DRAWING = re.compile(r"[.|┌│├└─+].*|[*\s-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class CrontabEntry:
    """One line that runs a command. `tz` None is the machine's zone; `stdin` is what follows the first bare `%`."""

    line: int
    expression: str
    command: str
    stdin: str | None = None
    tz: str | None = None
    user: str | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class CrontabRemark:
    """A line, counted from 1, and what is to be said of it."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Crontab:
    """`faults` are lines that cannot be taken over, `notes` are lines that mean nothing here."""

    entries: tuple[CrontabEntry, ...]
    faults: tuple[CrontabRemark, ...]
    notes: tuple[CrontabRemark, ...]


def read_crontab(text: str, *, system: bool = False) -> Crontab:
    """Every line of a crontab in its place; `system` is the form of /etc/crontab, with a user before the command.

    The comment right above an entry is its description. Raises InvalidError only for more than 100,000 lines.
    """
    lines = text.splitlines()
    if len(lines) > _MAX_LINES:
        raise InvalidError(f"must have at most {_MAX_LINES:,} lines", "crontab")
    reading = _Reading(system)
    for number, line in enumerate(lines, start=1):
        reading.take(number, line.strip())
    return Crontab(tuple(reading.entries), tuple(reading.faults), tuple(reading.notes))


class _Reading:
    """What has been read so far, and what holds for the next line."""

    def __init__(self, system: bool) -> None:
        self.entries: list[CrontabEntry] = []
        self.faults: list[CrontabRemark] = []
        self.notes: list[CrontabRemark] = []
        self._system = system
        self._tz: str | None = None
        self._tz_fault: str | None = None
        self._comment: list[str] = []

    def take(self, number: int, line: str) -> None:
        if line.startswith("#"):
            self._comment.append(line.lstrip("#").strip())
            return
        if setting := _SETTING.fullmatch(line):
            self._take_setting(number, setting["name"], _unquoted(setting["value"]))
        elif line:
            self._take_entry(number, line)
        self._comment = []

    def _take_setting(self, number: int, name: str, value: str) -> None:
        if name == "CRON_TZ":
            self._take_zone(number, value)
        elif name == "TZ":
            self._note(number, "TZ sets the zone of the commands, not of their times; CRON_TZ would")
        else:
            self._note(number, f"{name} is part of the commands' environment and is not taken over")

    def _take_zone(self, number: int, value: str) -> None:
        """After a zone that is unknown no entry is taken, until another is set: its times would be wrong."""
        self._tz, self._tz_fault = value or None, None
        try:
            if value:
                load_zone(value)
        except InvalidError as error:
            self._tz_fault = f"CRON_TZ {value!r} of line {number} is no time zone"
            self._fault(number, f"CRON_TZ {value!r}: {error}")

    def _take_entry(self, number: int, line: str) -> None:
        try:
            self.entries.append(self._entry(number, line))
        except InvalidError as error:
            self._fault(number, "; ".join(fault.message for fault in error.faults))

    def _entry(self, number: int, line: str) -> CrontabEntry:
        expression, rest = _expression_of(line)
        user, rest = _user_of(rest) if self._system else (None, rest)
        command, stdin = _split_at_percent(rest)
        if not command:
            raise InvalidError("has no command")
        if self._tz_fault:
            raise InvalidError(self._tz_fault)
        return CrontabEntry(
            line=number,
            expression=expression,
            command=command,
            stdin=stdin,
            tz=self._tz,
            user=user,
            description=" ".join(_description(self._comment)),
        )

    def _fault(self, number: int, message: str) -> None:
        self.faults.append(CrontabRemark(number, message))

    def _note(self, number: int, message: str) -> None:
        self.notes.append(CrontabRemark(number, message))


def _expression_of(line: str) -> tuple[str, str]:
    """The times, checked, and what follows them."""
    found = _FIELDS.match(line)
    if found is None:
        raise InvalidError("has less than five fields")
    expression = " ".join(found[0].split())
    if expression.lower() == "@reboot":
        raise InvalidError("@reboot names no time: it runs when a machine starts, which nothing here does")
    parse_cron(expression)
    return expression, line[found.end() :].strip()


def _user_of(rest: str) -> tuple[str, str]:
    """The user, and what follows."""
    user, *command = rest.split(maxsplit=1) or [""]
    return user, "".join(command)


def _split_at_percent(rest: str) -> tuple[str, str | None]:
    """The command, and its input: a bare `%` ends a line, a `\\%` is a percent sign."""
    first, *more = [part.replace("\\%", "%") for part in re.split(r"(?<!\\)%", rest)]
    return first.strip(), "\n".join(more) if more else None


def _unquoted(value: str) -> str:
    is_quoted = len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'"
    return value[1:-1] if is_quoted else value


def _description(comment: list[str]) -> Iterator[str]:
    """The last paragraph, without headings of the columns, drawings of them and entries that are switched off."""
    begin = max((number for number, line in enumerate(comment, start=1) if not line), default=0)
    for line in comment[begin:]:
        if not (_DRAWING.fullmatch(line) or _HEADINGS.fullmatch(line) or _is_entry(line)):
            yield line


def _is_entry(comment: str) -> bool:
    try:
        return bool(_expression_of(comment)[1])
    except InvalidError:
        return False
