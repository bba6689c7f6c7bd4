"""Headers, and the parameters that go with every call."""

from __future__ import annotations

from typing import Any, Final

Operation = dict[str, Any]  # Any: OpenAPI

_TENANT: Final = {"type": "string", "format": "tenant", "pattern": "^[a-z0-9][a-z0-9_-]{0,62}$"}
_ANY: Final = {"type": "string"}
"""What is not fit to be kept counts as none, and is not refused."""

_MAKING_RUNS: Final = frozenset({"create_run", "create_runs", "trigger_schedule", "retry_run"})
_VERSIONED: Final = frozenset(
    {
        "create_schedule", "read_schedule", "change_schedule", "enable_schedule", "disable_schedule", "skip_fires",
        "create_job", "read_job", "change_job", "create_calendar", "read_calendar", "change_calendar",
    }
)  # fmt: skip
_BATCHES: Final = frozenset({"create_schedules", "create_runs"})


def add_asked(operation: Operation, method: str, *, is_of_tenant: bool) -> None:
    own = operation.setdefault("parameters", [])
    asked = [_asked("header", "X-Correlation-Id", _ANY)]
    if is_of_tenant:
        asked += [_asked("query", "tenantId", _TENANT), _asked("header", "X-Tenant-Id", _TENANT)]
    if operation["operationId"] in _MAKING_RUNS:
        asked.append(_asked("header", "traceparent", _ANY))
    names = {(each["in"], each["name"]) for each in asked}
    own[:] = [each for each in own if (each["in"], each["name"]) not in names] + asked


def add_answered(operation: Operation) -> None:
    name = operation["operationId"]
    for status, response in operation["responses"].items():
        headers: dict[str, Any] = {"X-Correlation-Id": _header("The call's, where it said one.", needed=False)}
        if status == "201" and name not in _BATCHES:
            headers["Location"] = _header("Where what was made is found, below the prefix of the call.")
        if name in _VERSIONED and status in ("200", "201"):
            headers["ETag"] = _header(
                'The `version`, in quotes: `"3"`.' if name != "change_calendar" else "The `version`; not of a dry run.",
                needed=name != "change_calendar",
            )
        response["headers"] = response.get("headers", {}) | headers


def _asked(place: str, name: str, schema: Operation) -> Operation:
    return {"in": place, "name": name, "required": False, "schema": schema}


def _header(text: str, *, needed: bool = True) -> Operation:
    return {"description": text, "required": needed, "schema": {"type": "string"}}
