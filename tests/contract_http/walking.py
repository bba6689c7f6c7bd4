"""What the walk over the OpenAPI document needs to know of Rota: what valid values of its formats are.

A JSON Schema cannot say which cron expressions, zones or jobs there are; it names the format, and here are some of it.
"""

from __future__ import annotations

import string
from datetime import datetime
from typing import Any

import schemathesis
from hypothesis import strategies as st

JOB = "reports.daily"
TENANT = "default"

_WORD = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=12)
_PRINTABLE = st.text(string.ascii_letters + string.digits + " .-_äß漢✓", min_size=1, max_size=40)
_TOPIC = st.lists(_WORD, min_size=1, max_size=4).map(".".join)

FORMATS: dict[str, st.SearchStrategy[str]] = {
    "tenant": st.just(TENANT),
    "job-name": st.just(JOB),
    "printable": _PRINTABLE,
    "time-zone": st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]),
    "cron": st.sampled_from(["0 9 * * 1-5", "*/5 * * * *", "30 15 2 L * *", "@hourly", "0 0 29 2 *", "0 9 * * 5#3"]),
    "rrule": st.sampled_from(["FREQ=DAILY", "FREQ=WEEKLY;BYDAY=MO,TH;BYHOUR=9", "FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=9"]),
    "subject": _TOPIC.map(lambda topic: f"topic.{TENANT}.{topic}"),
    "topic": _TOPIC,
    "http-url": st.builds("https://{}.example/{}".format, _WORD, _WORD),
    "header-name": _WORD.map(lambda word: f"X-{word}"),
    "header-value": _PRINTABLE.filter(str.isascii),
    "label": st.builds("{}:{}".format, _WORD, _WORD),
    "date-time": st.datetimes(datetime(1970, 1, 2), datetime(9997, 12, 30)).map(lambda at: f"{at.isoformat()}Z"),
    "cursor": st.just("MDE5N2MwZGUtMDAwMC03MDAwLTgwMDAtMDAwMDAwMDA1ZWQw"),
    "json-pointer": st.lists(_WORD, min_size=1, max_size=3).map(lambda words: "/" + "/".join(words)),
}

for _name, _strategy in FORMATS.items():
    schemathesis.openapi.format(_name, _strategy)


@schemathesis.hook
def before_load_schema(context: Any, raw_schema: dict[str, Any]) -> None:
    """A patch is the same under both of its media types: one of them is walked.

    And two calls with one idempotency key are refused, as they should be: these have tests of their own.
    """
    for operations in raw_schema["paths"].values():
        operations.get("patch", {}).get("requestBody", {}).get("content", {}).pop("application/json", None)
        for operation in operations.values():
            asked = operation["parameters"]
            asked[:] = [parameter for parameter in asked if parameter["name"] != "Idempotency-Key"]
