"""What `rota apply` is told: the calendars, jobs and schedules of one owner, by their names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rota.entrypoints.cli.documents import STDIN, DocumentError, Json, read_object

KINDS = {"calendars": "calendar", "jobs": "job", "schedules": "schedule"}
OWNER_LABEL = "rota-owner"
LONGEST = 63

Documents = Mapping[str, Mapping[str, Json]]
"""By name, in the order of the file."""


@dataclass(frozen=True, slots=True)
class FileSet:
    """Every document has its owner's label. `wanted` is by kind: calendar, job, schedule."""

    owner: str
    wanted: Mapping[str, Documents]


def read_file_set(files: Sequence[str], owner: str | None) -> FileSet:
    """The owner is `owner`, or what a file says, or else the one file's name without its ending.

    Raises DocumentError.
    """
    contents = {file: read_object(file) for file in files}
    own = owner or _said_owner(contents) or _owner_by_name(files)
    if len(own) > LONGEST or not own.isprintable():
        raise DocumentError(f"the owner must have at most {LONGEST} printable characters")
    wanted: dict[str, dict[str, dict[str, Json]]] = {kind: {} for kind in KINDS.values()}
    for file, content in contents.items():
        for kind, name, document in _documents(file, content):
            if name in wanted[kind]:
                raise DocumentError(f"{file}: {kind} {name}: is described twice")
            wanted[kind][name] = document | {"labels": _labels(file, kind, document) | {OWNER_LABEL: own}}
    return FileSet(own, wanted)


def _documents(file: str, content: dict[str, Json]) -> Iterator[tuple[str, str, dict[str, Json]]]:
    for field, documents in content.items():
        if field == "owner":
            continue
        if field not in KINDS:
            raise DocumentError(f"{file}: {field}: unknown; known are owner, {', '.join(KINDS)}")
        if not isinstance(documents, list):
            raise DocumentError(f"{file}: {field}: must be a list")
        for index, document in enumerate(documents):
            name = document.get("name") if isinstance(document, dict) else None
            if not isinstance(name, str):
                raise DocumentError(f"{file}: {field}.{index}: must be an object with a name")
            yield KINDS[field], name, document


def _labels(file: str, kind: str, document: dict[str, Json]) -> dict[str, Json]:
    labels = document.get("labels") or {}
    if not isinstance(labels, dict):
        raise DocumentError(f"{file}: {kind} {document['name']}: labels: must be an object")
    if OWNER_LABEL in labels:
        raise DocumentError(f"{file}: {kind} {document['name']}: labels.{OWNER_LABEL}: is said by owner")
    return labels


def _said_owner(contents: Mapping[str, dict[str, Json]]) -> str | None:
    said = [content["owner"] for content in contents.values() if "owner" in content]
    for each in said:
        if not isinstance(each, str) or not each:
            raise DocumentError("owner: must be a text")
    if len(set(said)) > 1:
        raise DocumentError(f"the files have different owners: {', '.join(sorted(set(said)))}; --owner says which")
    return said[0] if said else None


def _owner_by_name(files: Sequence[str]) -> str:
    if len(files) > 1 or files[0] == STDIN:
        raise DocumentError("whose are they? say it by --owner, or by owner in a file")
    return Path(files[0]).stem
