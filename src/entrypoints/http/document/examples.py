"""Requests as somebody would send them; a test sends each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Example = Any  # JSON

CALENDAR_ID: Final = "0197c0de-0000-7000-8000-00000000ca1e"
"""Stands for the id of a calendar of the reader's own."""
SCHEDULE_ID: Final = "0197c0de-0000-7000-8000-0000000005ed"
"""Stands for the id of a schedule of the reader's own."""

_CRON: Final = {"type": "CRON", "cron": "0 9 * * 1-5"}
_REPORT: Final = {"kind": "JOB", "job": "reports.daily", "payload": {"kind": "full"}}


def _schedule(name: str, trigger: Example = _CRON, target: Example = _REPORT, **more: Example) -> Example:
    return {"name": name, "tz": "Europe/Berlin", "trigger": trigger, "target": target, **more}


_SCHEDULES: Final[Mapping[str, Example]] = {
    "Weekdays at nine": _schedule("daily-report", labels={"team": "bi"}, misfire={"policy": "FIRE_ONCE"}),
    "A cron expression with seconds, and a rule for clock changes": _schedule(
        "nightly",
        {"type": "CRON", "cron": "30 15 2 * * *", "dst": {"gap": "SHIFT", "overlap": "LAST"}},
        overlap="QUEUE_ONE",
    ),
    "A calendar rule (RFC 5545), an HTTP call": _schedule(
        "standup",
        {"type": "RRULE", "rrule": "FREQ=WEEKLY;BYDAY=MO,TH;BYHOUR=9;BYMINUTE=30"},
        {
            "kind": "HTTP",
            "http": {"url": "https://example.com/hooks/standup", "method": "POST", "headers": {"X-Team": "core"}},
            "payload": {"room": "blue"},
        },
        retry={"maxAttempts": 5, "backoff": {"kind": "EXPONENTIAL", "initialSec": 2}},
        timeoutSec=10,
    ),
    "Every minute, a message in a queue": _schedule(
        "pulse",
        {"type": "FIXED_RATE", "everySec": 60},
        {"kind": "QUEUE", "queue": {"topic": "pulses"}, "payload": {"n": 1}},
        jitterSec=5,
    ),
    "Ten minutes after the last run ended": _schedule(
        "sync", {"type": "FIXED_DELAY", "delaySec": 600}, overlap="SKIP", maxRuns=100
    ),
    "Once, an event on the bus": _schedule(
        "launch",
        {"type": "ONE_SHOT", "startAt": "2030-01-31T09:00:00"},
        {"kind": "EVENT", "eventTopic": "product.launched", "payload": {"version": 2}},
    ),
    "On the last open day of the month": _schedule(
        "closing",
        {"type": "BUSINESS_DAY", "day": -1, "of": "MONTH", "at": "17:00"},
        calendar={"calendarId": CALENDAR_ID, "onClosed": "SKIP"},
    ),
}

_NEXT_FIRES: Final[Mapping[str, Example]] = {
    "The next five": {"trigger": _CRON, "tz": "Europe/Berlin", "count": 5},
    "Over a clock change, by a calendar": {
        "trigger": {"type": "CRON", "cron": "30 2 * * *"},
        "tz": "Europe/Berlin",
        "from": "2030-03-29T00:00:00Z",
        "calendar": {"calendarId": CALENDAR_ID, "onClosed": "NEXT_OPEN"},
    },
    "Spread by jitter": {
        "trigger": {"type": "FIXED_RATE", "everySec": 3600},
        "tz": "UTC",
        "jitterSec": 300,
        "scheduleId": SCHEDULE_ID,
    },
}

_CALENDAR: Final[Example] = {
    "name": "DE-BY",
    "tz": "Europe/Berlin",
    "workingDays": ["MO", "TU", "WE", "TH", "FR"],
    "holidays": [
        {"kind": "COUNTRY", "country": "DE", "subdivision": "BY"},
        {"kind": "DATE", "month": 12, "day": 24, "name": "Christmas Eve"},
        {"kind": "WEEKDAY", "month": 11, "weekday": "TH", "nth": 4, "name": "Thanksgiving"},
        {"kind": "EASTER", "offsetDays": -2, "name": "Good Friday"},
    ],
    "closures": [{"from": "2030-08-05", "to": "2030-08-16", "reason": "works holidays"}],
    "extraOpenDays": [{"date": "2030-12-28", "reason": "stocktaking"}],
    "openingHours": [{"weekdays": ["MO", "FR"], "from": "08:00", "to": "17:30"}],
}

_JOB: Final[Example] = {
    "name": "invoices.send",
    "queue": "billing",
    "retry": {"maxAttempts": 5, "notOn": ["InvalidInvoice"], "backoff": {"kind": "EXPONENTIAL", "initialSec": 1}},
    "timeoutSec": 60,
    "maxConcurrent": 10,
    "concurrencyKey": "/customer/id",
    "rateLimit": {"count": 100, "perSec": 60},
    "payloadSchema": {"type": "object", "required": ["customer"]},
}

_RUN: Final[Example] = {"job": "reports.daily", "payload": {"kind": "full"}, "labels": {"asked-by": "ops"}}

_ICS: Final = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example//EN\r\nBEGIN:VEVENT\r\nUID:1@example.com\r\n"
    "DTSTAMP:20300101T000000Z\r\nDTSTART;VALUE=DATE:20301231\r\nSUMMARY:New Year's Eve\r\nEND:VEVENT\r\n"
    "END:VCALENDAR\r\n"
)

REQUESTS: Final[Mapping[str, Mapping[str, Example]]] = {
    "create_schedule": _SCHEDULES,
    "create_schedules": {"Two": [_schedule("batch-1"), _schedule("batch-2", enabled=False)]},
    "preview": _NEXT_FIRES,
    "change_schedule": {
        "Disable it": {"enabled": False},
        "Another time": {"trigger": {"type": "CRON", "cron": "0 10 * * 1-5"}},
        "Back to a default": {"misfire": None, "labels": {"team": None, "unit": "x"}},
    },
    "enable_schedule": {"Nothing to make up": {}, "Run what was last due": {"catchUp": "LAST", "reason": "outage"}},
    "disable_schedule": {
        "Until it is enabled": {},
        "For a while": {"until": "2030-01-07T00:00:00Z", "reason": "audit"},
    },
    "skip_fires": {"The next": {}, "The next three": {"count": 3, "reason": "moving house"}},
    "trigger_schedule": {"As it is": {}, "With another payload": {"payload": {"kind": "delta"}}},
    "backfill_schedule": {"Only count": {"from": "2020-01-01T00:00:00Z", "to": "2020-02-01T00:00:00Z", "dryRun": True}},
    "cancel_backfill": {"With a reason": {"reason": "wrong month"}},
    "create_job": {"All of its terms": _JOB, "With what goes without saying": {"name": "reports.weekly"}},
    "change_job": {"More time": {"timeoutSec": 600}, "No limit": {"maxConcurrent": None, "rateLimit": None}},
    "create_calendar": {"Bavaria": _CALENDAR},
    "change_calendar": {"One more closure": {"closures": [{"from": "2030-12-23", "to": "2030-12-31"}]}},
    "import_days": {"New Year's Eve": _ICS},
    "create_run": {
        "Now": _RUN,
        "Once at a time": _RUN | {"dedupeKey": "report-7"},
        "Later": _RUN | {"runAt": "2030-01-31T09:00:00Z", "priority": 10},
    },
    "create_runs": {"Two": [_RUN, _RUN | {"dedupeKey": "report-8"}]},
    "cancel_run": {"With a reason": {"reason": "not needed any more"}},
    "retry_run": {"As it was": {}, "With another payload": {"payload": {"kind": "delta"}}},
    "redrive_runs": {
        "Count those of a job": {"filter": {"job": "reports.daily"}, "dryRun": True},
        "All, slowly": {"filter": {}, "perSec": 5},
    },
    "cancel_redrive": {"With a reason": {"reason": "they die again"}},
    "register_worker": {
        "Two jobs": {
            "name": "box-7",
            "jobs": [{"name": "reports.daily"}, {"name": "mail.send", "queue": "mail", "timeoutSec": 30}],
            "slots": 20,
        }
    },
    "take_heartbeat": {"Nothing runs": {"slots": 20, "running": [], "draining": False}},
    "drain_worker": {"Nothing more to say": {}},
}
"""By the operation's id, then by what the example shows."""
