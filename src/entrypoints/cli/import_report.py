"""How an import tells what it would do, or has done."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rota.application.crontab import CrontabRemark
from rota.entrypoints.cli.crontab_difference import Changed, Definition, Difference, Wanted
from rota.entrypoints.cli.tables import plain


def report(found: Difference, *, source: str, tz: str, new_job: str | None) -> str:
    """A line for each line of the file that makes a difference or cannot."""
    return "\n".join(plain(line) for line in _lines(found, source=source, tz=tz, new_job=new_job))


def report_json(found: Difference, *, source: str, tz: str, new_job: str | None, is_applied: bool) -> str:
    from rota.application.json import dump

    return dump(
        {
            "name": source,
            "tz": tz,
            "isApplied": is_applied,
            "newJob": new_job,
            "new": [{"line": each.line} | each.definition for each in found.new],
            "changed": [_changed_json(each) for each in found.changed],
            "same": [{"line": each.line, "name": each.name} for each in found.same],
            "gone": [{"id": each.id, "name": each.name} for each in found.gone],
            "faults": [_remark_json(each) for each in found.faults],
            "notes": [_remark_json(each) for each in found.notes],
        }
    )


def _lines(found: Difference, *, source: str, tz: str, new_job: str | None) -> Iterator[str]:
    yield f"Crontab {source}; lines without CRON_TZ are in {tz}."
    if new_job:
        yield f"+ job {new_job}"
    yield from (_new(each) for each in found.new)
    for change in found.changed:
        yield from _changed(change)
    yield from (f"- {each.name}: in the file no more, and left as it is" for each in found.gone)
    yield from (f"! line {each.line} cannot be taken over: {each.message}" for each in found.faults)
    yield from (f"  line {each.line}: {each.message}" for each in found.notes)


def _new(wanted: Wanted) -> str:
    of = wanted.definition
    description = f"  # {of['description']}" if "description" in of else ""
    return f"+ line {wanted.line}: {of['trigger']['cron']} {of['tz']}  {wanted.name}{description}"


def _changed(change: Changed) -> Iterator[str]:
    for field, value in change.patch.items():
        before, after = _said(field, change.before), _said(field, {field: value})
        yield f"~ line {change.line}: {change.schedule.name}: {field} {before} -> {after}"


def _said(field: str, of: Definition) -> str:
    value = of[field]
    if field == "trigger":
        return str(value.get("cron") or value.get("type"))
    if field == "target":
        payload = value.get("payload")
        return f"{value.get('job')} {payload if payload is not None else ''}".strip()
    return str(value) or "none"


def sum_of(found: Difference, *, is_applied: bool) -> str:
    """The last line: how many of what, and what became of it."""
    counts = (
        (len(found.new), "new"),
        (len(found.changed), "changed"),
        (len(found.same), "as they were"),
        (len(found.gone), "in the file no more"),
        (len(found.faults), "not taken over"),
    )
    told = ", ".join(f"{count} {what}" for count, what in counts if count) or "nothing in it"
    if found.is_none:
        return f"{told}. There is nothing to do."
    return f"{told}. {'Done.' if is_applied else 'Nothing was changed yet: --apply does it.'}"


def _changed_json(change: Changed) -> dict[str, Any]:  # Any: JSON
    return {
        "line": change.line,
        "id": change.schedule.id,
        "name": change.schedule.name,
        "before": change.before,
        "after": change.patch,
    }


def _remark_json(remark: CrontabRemark) -> dict[str, Any]:  # Any: JSON
    return {"line": remark.line, "message": remark.message}
