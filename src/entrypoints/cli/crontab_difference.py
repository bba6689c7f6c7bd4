"""What a crontab asks for, and how that differs from the schedules that stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from rota.application.crontab import Crontab, CrontabEntry, CrontabRemark
from rota.entrypoints.sdk.models import Schedule

LABEL = "crontab"
"""Schedules made from a crontab have it, with the crontab's name."""

LONGEST_NAME = 200

Definition: TypeAlias = dict[str, Any]  # Any: JSON


@dataclass(frozen=True, slots=True)
class Wanted:
    """One line as the schedule that it asks for: what POST /schedules takes."""

    line: int
    definition: Definition

    @property
    def name(self) -> str:
        return str(self.definition["name"])


@dataclass(frozen=True, slots=True)
class Changed:
    """A schedule that stands and is to be another: what is to be, as PATCH /schedules takes it, and what was."""

    line: int
    schedule: Schedule
    before: Definition
    patch: Definition


@dataclass(frozen=True, slots=True)
class Difference:
    """`gone` stand and are in the file no more; `faults` are lines that cannot be taken over, `notes` mean nothing."""

    new: Sequence[Wanted]
    changed: Sequence[Changed]
    same: Sequence[Wanted]
    gone: Sequence[Schedule]
    faults: Sequence[CrontabRemark]
    notes: Sequence[CrontabRemark]

    @property
    def is_none(self) -> bool:
        return not (self.new or self.changed)


def difference(crontab: Crontab, standing: Iterable[Schedule], *, source: str, tz: str, job: str) -> Difference:
    """`standing` are the schedules with the label of `source`; lines and schedules belong together by name.

    A line that says nothing of its zone is in `tz`. A description is compared only where the file has one.
    """
    by_name = {schedule.name: schedule for schedule in standing}
    wanted = wanted_schedules(crontab.entries, source=source, tz=tz, job=job)
    new = [each for each in wanted if each.name not in by_name]
    known = [(each, by_name.pop(each.name)) for each in wanted if each.name in by_name]
    changed, same = [], []
    for each, schedule in known:
        patch = _patch(each.definition, schedule)
        if patch:
            before = {field: _standing(schedule)[field] for field in patch}
            changed.append(Changed(each.line, schedule, before, patch))
        else:
            same.append(each)
    return Difference(new, changed, same, list(by_name.values()), crontab.faults, crontab.notes)


def wanted_schedules(entries: Iterable[CrontabEntry], *, source: str, tz: str, job: str) -> list[Wanted]:
    """Named for their commands; the second with the same command has a (2) behind it."""
    found: list[Wanted] = []
    seen: Counter[str] = Counter()
    for entry in entries:
        name = _name(entry, source)
        seen[name] += 1
        found.append(Wanted(entry.line, _definition(entry, _numbered(name, seen[name]), source=source, tz=tz, job=job)))
    return found


def _definition(entry: CrontabEntry, name: str, *, source: str, tz: str, job: str) -> Definition:
    said = {"command": entry.command, "stdin": entry.stdin, "user": entry.user}
    payload = {key: value for key, value in said.items() if value is not None}
    definition = {
        "name": name,
        "labels": {LABEL: source},
        "tz": entry.tz or tz,
        "trigger": {"type": "CRON", "cron": entry.expression},
        "target": {"kind": "JOB", "job": job, "payload": payload},
    }
    return definition | ({"description": entry.description} if entry.description else {})


def _name(entry: CrontabEntry, source: str) -> str:
    whole = ": ".join(part for part in (source, entry.user, entry.command) if part)
    return " ".join("".join(char if char.isprintable() else " " for char in whole).split())


def _numbered(name: str, number: int) -> str:
    suffix = "" if number == 1 else f" ({number})"
    most = LONGEST_NAME - len(suffix)
    return (name if len(name) <= most else name[: most - 1] + "…") + suffix


def _patch(wanted: Definition, schedule: Schedule) -> Definition:
    """What of the line is not so yet. A rule for clock changes that the trigger was given stays."""
    standing = _standing(schedule)
    patch = {field: value for field, value in wanted.items() if field in standing and standing[field] != value}
    if "trigger" in patch and schedule.trigger.get("dst") is not None:
        patch["trigger"] = {**patch["trigger"], "dst": schedule.trigger["dst"]}
    return patch


def _standing(schedule: Schedule) -> Mapping[str, Any]:  # Any: JSON
    """What a line says, as the schedule has it."""
    return {
        "description": schedule.description,
        "tz": schedule.tz,
        "trigger": {key: schedule.trigger.get(key) for key in ("type", "cron")},
        "target": {key: schedule.target.get(key) for key in ("kind", "job", "payload")},
    }
