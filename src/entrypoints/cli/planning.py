"""What `rota apply` would do: the difference between what a file set wants and what stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Literal

from rota.entrypoints.cli.differences import Difference, differences
from rota.entrypoints.cli.documents import DocumentError, Json
from rota.entrypoints.cli.file_sets import OWNER_LABEL, FileSet
from rota.entrypoints.cli.finding import every
from rota.entrypoints.cli.normal_forms import NORMAL
from rota.entrypoints.sdk.client import RotaSync
from rota.entrypoints.sdk.models import Calendar, Job, Schedule

Document = Mapping[str, Json]
Action = Literal["CREATE", "UPDATE", "DELETE"]
Key = tuple[str, str]
"""Kind and name."""

ORDER = ("calendar", "job", "schedule")
"""What is first is used by what is later."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One thing as the server has it, calendars by their names."""

    id: str
    document: Document

    @property
    def owner(self) -> str | None:
        return (self.document.get("labels") or {}).get(OWNER_LABEL)


@dataclass(frozen=True, slots=True)
class Change:
    """`before` and `after` are normal forms; one of them is empty where it is made or goes."""

    action: Action
    kind: str
    name: str
    id: str | None = None
    before: Document = field(default_factory=dict)
    after: Document = field(default_factory=dict)

    @property
    def differences(self) -> list[Difference]:
        return list(differences(self.before, self.after)) if self.action == "UPDATE" else []


@dataclass(frozen=True, slots=True)
class Plan:
    """`changes` are in the order in which they can be made. `left` are the owner's own that no file names any more and
    that stay. `calendar_ids` are those that stand, by name.
    """

    owner: str
    changes: Sequence[Change]
    unchanged: int
    left: Sequence[Key]
    calendar_ids: Mapping[str, str]


def make_plan(api: RotaSync, wanted: FileSet, *, prune: bool, adopt: bool) -> Plan:
    """Raises DocumentError for what is another's (or nobody's, without `adopt`), for calendars in a circle, and for
    schedules by a calendar that nobody knows.
    """
    standing = _stands(api, wanted)
    _check_owners(wanted, standing, adopt=adopt)
    _check_calendars(wanted, standing)
    ids = {name: thing.id for (kind, name), thing in standing.items() if kind == "calendar"}
    names = {own_id: name for name, own_id in ids.items()}
    changes: list[Change] = []
    count = 0
    for kind in ORDER:
        documents = {name: _by_names(said, names) for name, said in wanted.wanted[kind].items()}
        for name in _usable_first(documents) if kind == "calendar" else documents:
            count += 1
            change = _change(kind, name, documents[name], standing.get((kind, name)))
            if change is not None:
                changes.append(change)
    changes.sort(key=lambda change: (ORDER.index(change.kind), change.kind == "schedule" and change.action == "UPDATE"))
    made = len(changes)
    gone = _gone(wanted, standing)
    if prune:
        changes += [Change("DELETE", kind, name, standing[kind, name].id) for kind, name in gone]
    return Plan(wanted.owner, changes, count - made, () if prune else gone, ids)


def _change(kind: str, name: str, said: Document, stands: Standing | None) -> Change | None:
    after = NORMAL[kind](said)
    if stands is None:
        return Change("CREATE", kind, name, after=said)
    change = Change("UPDATE", kind, name, stands.id, NORMAL[kind](stands.document), after)
    return change if change.differences else None


def _stands(api: RotaSync, wanted: FileSet) -> dict[Key, Standing]:
    """All calendars and jobs; of schedules, of which there may be very many, the owner's and those named alike."""
    calendars = list(every(api.list_calendars))
    names = {each.id: each.name for each in calendars}
    found: dict[Key, Standing] = {}

    def keep(kind: str, thing: Calendar | Job | Schedule) -> None:
        document = _by_names(thing.model_dump(mode="json", by_alias=True), names)
        found[kind, thing.name] = Standing(thing.id, document)

    for calendar in calendars:
        keep("calendar", calendar)
    for job in every(api.list_jobs):
        keep("job", job)
    for own in every(api.list_schedules, label=f"{OWNER_LABEL}:{wanted.owner}"):
        keep("schedule", own)
    for name in wanted.wanted["schedule"]:
        if ("schedule", name) not in found:
            for alike in every(api.list_schedules, name=name):
                if alike.name == name:
                    keep("schedule", alike)
                    break
    return found


def _check_owners(wanted: FileSet, standing: Mapping[Key, Standing], *, adopt: bool) -> None:
    wrong = []
    for kind, documents in wanted.wanted.items():
        for name in documents:
            thing = standing.get((kind, name))
            if thing is None or thing.owner == wanted.owner:
                continue
            if thing.owner is not None:
                wrong.append(f"{kind} {name}: belongs to {thing.owner}")
            elif not adopt:
                wrong.append(f"{kind} {name}: belongs to nobody, --adopt takes it over")
    if wrong:
        raise DocumentError("; ".join(wrong))


def _check_calendars(wanted: FileSet, standing: Mapping[Key, Standing]) -> None:
    """Those that schedules go by."""
    known = {*wanted.wanted["calendar"], *(name for kind, name in standing if kind == "calendar")}
    for name, document in wanted.wanted["schedule"].items():
        rule = document.get("calendar")
        if isinstance(rule, dict) and "name" in rule and not (isinstance(rule["name"], str) and rule["name"] in known):
            raise DocumentError(f"schedule {name}: calendar.name: no calendar is named {rule['name']}")


def _gone(wanted: FileSet, standing: Mapping[Key, Standing]) -> list[Key]:
    """The owner's own that is not wanted any more; what uses others is first."""
    own = {key: thing.document for key, thing in standing.items() if thing.owner == wanted.owner}
    gone = {kind: [name for its, name in own if its == kind and name not in wanted.wanted[kind]] for kind in ORDER}
    calendars = _usable_first({name: own["calendar", name] for name in gone["calendar"]})
    return [
        *(("schedule", name) for name in sorted(gone["schedule"])),
        *(("job", name) for name in sorted(gone["job"])),
        *(("calendar", name) for name in reversed(calendars)),
    ]


def _usable_first(calendars: Mapping[str, Document]) -> list[str]:
    """Those that are included before those that include them; otherwise as they come. Raises DocumentError."""
    graph = {name: list(_included(document, calendars)) for name, document in calendars.items()}
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise DocumentError(f"calendars include each other: {', '.join(error.args[1])}") from error


def _included(document: Document, calendars: Mapping[str, Document]) -> Iterator[str]:
    included = document.get("includes")
    for name in included if isinstance(included, list) else ():
        if isinstance(name, str) and name in calendars:
            yield name


def _by_names(document: Document, names: Mapping[str, str]) -> Document:
    """With the names of calendars where it has their ids."""
    said = dict(document)
    if isinstance(said.get("includes"), list):
        said["includes"] = [names.get(each, each) if isinstance(each, str) else each for each in said["includes"]]
    rule = said.get("calendar")
    if isinstance(rule, dict) and isinstance(rule.get("calendarId"), str) and rule["calendarId"] in names:
        rest = {name: value for name, value in rule.items() if name != "calendarId"}
        said["calendar"] = {"name": names[rule["calendarId"]]} | rest
    return said
