"""Two documents that mean the same look the same here: defaults filled in, times and weekdays written alike.

So what a file leaves out is compared as the default that the server gives it, and a field that is taken out of a file
goes back to that. Two fields of a schedule stay where a file says nothing of them: `tz`, whose default only the server
knows, and `enabled`, for somebody may have had a reason to disable it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time

from rota.entrypoints.cli.documents import Json

Document = Mapping[str, Json]

WEEK = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
RETRY: dict[str, Json] = {
    "maxAttempts": 3,
    "notOn": [],
    "backoff": {"kind": "EXPONENTIAL", "initialSec": 1, "factor": 2, "maxSec": 3600, "jitter": 0.1},
}
JOB: dict[str, Json] = {
    "labels": {}, "queue": "default", "capabilities": [], "retry": RETRY, "timeoutSec": 300, "startBySec": None,
    "deadlineSec": None, "heartbeatTimeoutSec": None, "maxConcurrent": None, "concurrencyKey": None, "rateLimit": None,
    "priority": 0, "payloadSchema": None, "retentionSec": None,
}  # fmt: skip
CALENDAR: dict[str, Json] = {
    "description": "", "labels": {}, "tz": None, "workingDays": WEEK[:5], "holidays": [], "closures": [],
    "extraOpenDays": [], "openingHours": [], "includes": [],
}  # fmt: skip
SCHEDULE: dict[str, Json] = {
    "description": "", "labels": {}, "overlap": "ALLOW", "startAt": None, "endAt": None,
    "misfire": {"policy": "FIRE_ONCE", "graceSec": 30, "catchupWindowSec": None}, "maxRuns": None, "priority": None,
    "calendar": None, "jitterSec": 0, "retry": None, "timeoutSec": None,
}  # fmt: skip
HTTP: dict[str, Json] = {"method": "POST", "headers": {}, "body": None, "expectStatus": []}
DELIVERY_TIMEOUT = 30
TRIGGERS: Mapping[str, Document] = {
    "RRULE": {"startAt": None},
    "BUSINESS_DAY": {"of": "MONTH"},
    "FIXED_RATE": {"anchorAt": None},
    "EVENT": {"filter": {}},
}
DST = {"gap": "NEXT_VALID", "overlap": "FIRST"}


def normal_job(said: Document) -> Document:
    job = _filled(JOB, said)
    return job | {"retry": _retry(job["retry"])}


def normal_calendar(said: Document) -> Document:
    calendar = _filled(CALENDAR, said)
    return calendar | {
        "workingDays": _weekdays(calendar["workingDays"]),
        "holidays": _each(calendar["holidays"], _holiday),
        "closures": _each(calendar["closures"], lambda one: {"to": one.get("from"), "reason": "closed"} | _given(one)),
        "extraOpenDays": _each(calendar["extraOpenDays"], lambda one: {"reason": "extra open day"} | _given(one)),
        "openingHours": _each(calendar["openingHours"], _opening_hours),
    }


def normal_schedule(said: Document) -> Document:
    schedule = _filled(SCHEDULE, said)
    for name in ("tz", "enabled"):
        if name in schedule and schedule[name] is None:
            del schedule[name]
    schedule["misfire"] = _inner(SCHEDULE["misfire"], schedule["misfire"])
    schedule["trigger"] = _object(schedule.get("trigger"), _trigger)
    schedule["target"] = _object(schedule.get("target"), lambda target: {"payload": None, **target})
    for name in ("startAt", "endAt"):
        schedule[name] = _instant(schedule[name])
    if schedule["calendar"] is not None:
        schedule["calendar"] = _inner({"onClosed": "SKIP"}, schedule["calendar"])
    kind = _get(schedule["target"], "kind")
    return schedule if kind == "JOB" else _delivery(schedule)


NORMAL: Mapping[str, Callable[[Document], Document]] = {
    "calendar": normal_calendar,
    "job": normal_job,
    "schedule": normal_schedule,
}


def _delivery(schedule: dict[str, Json]) -> Document:
    """The receiver's own time limit is also the schedule's."""
    target = schedule["target"]
    own = _get(_get(target, "http"), "timeoutSec")
    schedule["retry"] = _retry(schedule["retry"])
    said = schedule["timeoutSec"] if own is None else own
    schedule["timeoutSec"] = DELIVERY_TIMEOUT if said is None else said
    if isinstance(_get(target, "http"), dict):
        http = HTTP | _given(target["http"]) | {"timeoutSec": schedule["timeoutSec"]}
        if isinstance(http["expectStatus"], int):
            http["expectStatus"] = [http["expectStatus"]]
        schedule["target"] = target | {"http": http}
    elif isinstance(_get(target, "queue"), dict):
        schedule["target"] = target | {"queue": {"broker": None} | target["queue"]}
    return schedule


def _trigger(said: Document) -> Document:
    trigger = dict(TRIGGERS.get(str(said.get("type")), {})) | _given(said)
    for name in ("startAt", "anchorAt"):
        if name in trigger:
            trigger[name] = _instant(trigger[name])
    if "at" in trigger:
        trigger["at"] = _local_time(trigger["at"])
    if "dst" in trigger:
        trigger["dst"] = _inner(DST, trigger["dst"])
    return trigger


def _holiday(said: Document) -> Document:
    own: dict[str, Document] = {"EASTER": {"orthodox": False}, "COUNTRY": {"subdivision": None}}
    return dict(own.get(str(said.get("kind")), {})) | dict(said)


def _opening_hours(said: Document) -> Document:
    hours = dict(said)
    hours["weekdays"] = _weekdays(hours.get("weekdays"))
    hours["from"], hours["to"] = _local_time(hours.get("from")), _local_time(hours.get("to"))
    if hours["to"] == "00:00":
        hours["to"] = "24:00"
    return hours


def _retry(said: Json) -> Json:
    retry = _inner(RETRY, said or {})
    return retry | {"backoff": _inner(RETRY["backoff"], retry["backoff"])} if isinstance(retry, dict) else retry


def _filled(defaults: Document, said: Document) -> dict[str, Json]:
    """Null stands for the default."""
    return {**defaults, **{name: value for name, value in said.items() if value is not None or name not in defaults}}


def _inner(defaults: Document, said: Json) -> Json:
    return _filled(defaults, said) if isinstance(said, dict) else said


def _given(said: Document) -> dict[str, Json]:
    return {name: value for name, value in said.items() if value is not None}


def _object(value: Json, normal: Callable[[Document], Document]) -> Json:
    """What is no object is the server's to refuse."""
    return normal(value) if isinstance(value, dict) else value


def _each(values: Json, normal: Callable[[Document], Document]) -> Json:
    return [_object(each, normal) for each in values] if isinstance(values, list) else values


def _get(value: Json, name: str) -> Json:
    return value.get(name) if isinstance(value, dict) else None


def _weekdays(names: Json) -> Json:
    if isinstance(names, list | tuple) and all(each in WEEK for each in names):
        return [each for each in WEEK if each in names]
    return names


def _local_time(text: Json) -> Json:
    try:
        at = time.fromisoformat(text)
    except (TypeError, ValueError):
        return text
    return at.isoformat("seconds" if at.second else "minutes")


def _instant(text: Json) -> Json:
    """In UTC, where it has an offset."""
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return text
    return at.isoformat() if at.tzinfo is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")
