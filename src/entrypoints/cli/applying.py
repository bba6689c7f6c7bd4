"""Carrying a plan out, and telling of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import orjson
from rich.console import Console
from rich.text import Text

from rota.entrypoints.cli.differences import patch_between
from rota.entrypoints.cli.documents import DocumentError, Json
from rota.entrypoints.cli.planning import Change, Plan
from rota.entrypoints.cli.progress import progress
from rota.entrypoints.cli.tables import plain
from rota.entrypoints.sdk.client import RotaSync
from rota.entrypoints.sdk.errors import RotaError

BATCH = 1_000
LONGEST = 80
SIGNS = {"CREATE": ("+", "green"), "UPDATE": ("~", "yellow"), "DELETE": ("-", "red")}


def show_plan(plan: Plan) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for change in plan.changes:
        sign, style = SIGNS[change.action]
        console.print(Text(plain(f"{sign} {change.kind} {change.name}"), style))
        for each in change.differences:
            console.print(Text(plain(f"    {each.field}: {_short(each.before)} -> {_short(each.after)}")))
    console.print(Text(f"{plan.owner}: {_counts(plan)}"))
    if plan.left:
        console.print(Text(plain(f"No longer described, but there until --prune: {_listed(plan)}"), "dim"))


def plan_json(plan: Plan, *, is_applied: bool) -> bytes:
    """`before` and `after` are the differing fields of what is changed."""
    return orjson.dumps(
        {
            "owner": plan.owner,
            "applied": is_applied,
            "changes": [
                {
                    "action": change.action,
                    "kind": change.kind,
                    "name": change.name,
                    "fields": [
                        {"field": each.field, "before": each.before, "after": each.after} for each in change.differences
                    ],
                }
                for change in plan.changes
            ],
            "unchanged": plan.unchanged,
            "left": [{"kind": kind, "name": name} for kind, name in plan.left],
        }
    )


def carry_out(api: RotaSync, plan: Plan) -> None:
    """Change by change, new schedules as batches: what was done stays if a later one is refused, and to apply again
    goes on from there. Progress goes to standard error, where that is a terminal. Raises DocumentError naming the
    change that was refused.
    """
    work = _Work(api, dict(plan.calendar_ids))
    done = 0
    with progress("applying", len(plan.changes)) as advance:
        for changes in _batches(plan.changes):
            try:
                work.do(changes)
            except RotaError as error:
                made = f"{done} of {len(plan.changes)} changes are made"
                raise DocumentError(f"{_told(changes, error)} ({made})") from error
            done += len(changes)
            advance(done, "")


@dataclass(slots=True)
class _Work:
    api: RotaSync
    calendar_ids: dict[str, str]

    def do(self, changes: Sequence[Change]) -> None:
        """One, or a batch of new schedules. Raises RotaError."""
        first = changes[0]
        if first.action == "DELETE":
            self._delete(first)
        elif first.action == "UPDATE":
            self._update(first)
        elif first.kind == "schedule":
            self.api.create_schedules([self._by_ids(each.after) for each in changes])
        elif first.kind == "job":
            self.api.create_job(**self._by_ids(first.after))
        else:
            self.calendar_ids[first.name] = self.api.create_calendar(**self._by_ids(first.after)).id

    def _update(self, change: Change) -> None:
        patch = self._by_ids(patch_between(change.before, change.after))
        change_it: Mapping[str, Callable[..., object]] = {
            "calendar": self.api.change_calendar,
            "job": self.api.change_job,
            "schedule": self.api.change_schedule,
        }
        change_it[change.kind](change.id, **patch)

    def _delete(self, change: Change) -> None:
        delete: Mapping[str, Callable[[str], None]] = {
            "calendar": self.api.delete_calendar,
            "job": self.api.delete_job,
            "schedule": self.api.delete_schedule,
        }
        delete[change.kind](change.id or "")

    def _by_ids(self, document: Mapping[str, Json]) -> dict[str, Json]:
        """With the ids of calendars where it has their names."""
        said = dict(document)
        if isinstance(said.get("includes"), list):
            said["includes"] = [
                self.calendar_ids.get(each, each) if isinstance(each, str) else each for each in said["includes"]
            ]
        rule = said.get("calendar")
        if isinstance(rule, dict) and "name" in rule:
            named = self.calendar_ids.get(rule["name"] or "")
            rest = {field: value for field, value in rule.items() if field != "name"}
            said["calendar"] = rest if named is None else {"calendarId": named} | rest
        return said


def _batches(changes: Sequence[Change]) -> list[list[Change]]:
    batches: list[list[Change]] = []
    for change in changes:
        last = batches[-1] if batches else []
        is_new_schedule = change.kind == "schedule" and change.action == "CREATE"
        if is_new_schedule and last and last[0].action == "CREATE" and last[0].kind == "schedule" and len(last) < BATCH:
            last.append(change)
        else:
            batches.append([change])
    return batches


def _told(changes: Sequence[Change], error: RotaError) -> str:
    """The fields of a batch begin with a number; here, with what it stands for."""
    first = changes[0]
    if first.kind != "schedule" or first.action != "CREATE":
        return f"{first.kind} {first.name}: {error}"
    faults = []
    for fault in error.errors:
        index, _, path = str(fault.get("field")).partition(".")
        whose = f"schedule {changes[int(index)].name}: " if index.isdecimal() and int(index) < len(changes) else ""
        faults.append(f"{whose}{path or 'it'}: {fault.get('message')}")
    return f"{error.status} - {error.title} - {'; '.join(faults)}" if faults else str(error)


def _counts(plan: Plan) -> str:
    actions = [change.action for change in plan.changes]
    created, changed, deleted = (actions.count(action) for action in ("CREATE", "UPDATE", "DELETE"))
    return f"{created} to create, {changed} to change, {deleted} to delete, {plan.unchanged} as they are"


def _listed(plan: Plan) -> str:
    return ", ".join(f"{kind} {name}" for kind, name in plan.left)


def _short(value: Json) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
