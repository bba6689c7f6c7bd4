"""What is different between two documents, for people; and the merge patch that leads from one to the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rota.entrypoints.cli.documents import Json

Document = Mapping[str, Json]

WHOLE = frozenset({"trigger", "target"})
"""A patch replaces these."""


@dataclass(frozen=True, slots=True)
class Difference:
    """`field` is the path to it, as in misfire.graceSec; a value that is not there is None."""

    field: str
    before: Json
    after: Json


def differences(before: Document, after: Document, path: str = "") -> Iterator[Difference]:
    """Of the fields that `after` has; within fields, of all."""
    for name in sorted({*before, *after}) if path else after:
        old, new = before.get(name), after.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from differences(old, new, f"{path}{name}.")
        elif not _same(old, new) or (path and (name in before) != (name in after)):
            yield Difference(path + name, old, new)


def patch_between(before: Document, after: Document) -> dict[str, Json]:
    """RFC 7396, of the fields that `after` has."""
    return {
        name: new if name in WHOLE or not isinstance(new, dict) else _merge_patch(before.get(name), new)
        for name, new in after.items()
        if not _same(before.get(name), new)
    }


def _merge_patch(before: Json, after: dict[str, Json]) -> dict[str, Json]:
    old = before if isinstance(before, dict) else {}
    patch: dict[str, Json] = dict.fromkeys(old.keys() - after.keys())
    for name, new in after.items():
        if isinstance(new, dict):
            patch[name] = _merge_patch(old.get(name), new)
        elif not (name in old and _same(old[name], new)):
            patch[name] = new
    return patch


def _same(one: Json, other: Json) -> bool:
    """As JSON: 30 and 30.0 are one number, 1 and true are not."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)
