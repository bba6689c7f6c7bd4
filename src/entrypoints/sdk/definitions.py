"""What is sent, for type checkers and editors: the contract's own JSON (camelCase), so that it reads like its pages.

Nothing of it is checked here: the server knows best, and a newer one may know more. An instant is an aware datetime or
RFC 3339 text, a duration a number of seconds or a timedelta. `from_` is the JSON's `from`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Literal, Required, TypeAlias, TypedDict

Json: TypeAlias = Any  # what JSON can say, and what pydantic can write as JSON
Moment: TypeAlias = datetime | str
Day: TypeAlias = date | str
Duration: TypeAlias = float | timedelta
Labels: TypeAlias = Mapping[str, str]
Weekday: TypeAlias = Literal["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
RunState: TypeAlias = Literal[
    "PENDING", "QUEUED", "RUNNING", "RETRYING", "SUCCEEDED", "DEAD", "CANCELLED", "SKIPPED"
]  # fmt: skip
Cause: TypeAlias = Literal["SCHEDULE", "MANUAL", "BACKFILL", "EVENT", "API", "RETRY"]


# Triggers


class Dst(TypedDict, total=False):
    gap: Literal["NEXT_VALID", "SHIFT", "SKIP"]
    overlap: Literal["FIRST", "LAST", "BOTH"]


class CronTrigger(TypedDict, total=False):
    type: Required[Literal["CRON"]]
    cron: Required[str]
    dst: Dst


class RruleTrigger(TypedDict, total=False):
    type: Required[Literal["RRULE"]]
    rrule: Required[str]
    startAt: Moment
    dst: Dst


class BusinessDayTrigger(TypedDict, total=False):
    """The `day`th open day of each period; -1 is the last. `at` is a local time, as in 09:30."""

    type: Required[Literal["BUSINESS_DAY"]]
    day: Required[int]
    of: Literal["WEEK", "MONTH", "QUARTER", "YEAR"]
    at: Required[str]
    dst: Dst


class FixedRateTrigger(TypedDict, total=False):
    type: Required[Literal["FIXED_RATE"]]
    everySec: Required[Duration]
    anchorAt: Moment | None


class FixedDelayTrigger(TypedDict):
    type: Literal["FIXED_DELAY"]
    delaySec: Duration


class OneShotTrigger(TypedDict):
    type: Literal["ONE_SHOT"]
    startAt: Moment


class EventTrigger(TypedDict, total=False):
    type: Required[Literal["EVENT"]]
    subject: Required[str]
    filter: Mapping[str, Json]


Trigger: TypeAlias = (
    CronTrigger
    | RruleTrigger
    | BusinessDayTrigger
    | FixedRateTrigger
    | FixedDelayTrigger
    | OneShotTrigger
    | EventTrigger
)


# Targets


class JobTarget(TypedDict, total=False):
    kind: Required[Literal["JOB"]]
    job: Required[str]
    payload: Json


class EventTarget(TypedDict, total=False):
    kind: Required[Literal["EVENT"]]
    eventTopic: Required[str]
    payload: Json


class Http(TypedDict, total=False):
    url: Required[str]
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
    headers: Mapping[str, str]
    body: str | None
    timeoutSec: Duration | None
    expectStatus: int | Sequence[int]


class HttpTarget(TypedDict, total=False):
    kind: Required[Literal["HTTP"]]
    http: Required[Http]
    payload: Json


class Queue(TypedDict, total=False):
    topic: Required[str]
    broker: str | None


class QueueTarget(TypedDict, total=False):
    kind: Required[Literal["QUEUE"]]
    queue: Required[Queue]
    payload: Json


Target: TypeAlias = JobTarget | EventTarget | HttpTarget | QueueTarget


# Jobs


class Backoff(TypedDict, total=False):
    kind: Literal["FIXED", "LINEAR", "EXPONENTIAL"]
    initialSec: Duration
    factor: float
    maxSec: Duration
    jitter: float


class Retrying(TypedDict, total=False):
    """`notOn` are the types of errors that are not tried again."""

    maxAttempts: int
    notOn: Sequence[str]
    backoff: Backoff


class RateLimit(TypedDict):
    count: int
    perSec: Duration


class JobTerms(TypedDict, total=False):
    labels: Labels | None
    queue: str | None
    capabilities: Sequence[str] | None
    retry: Retrying | None
    timeoutSec: Duration | None
    startBySec: Duration | None
    deadlineSec: Duration | None
    heartbeatTimeoutSec: Duration | None
    maxConcurrent: int | None
    concurrencyKey: str | None
    rateLimit: RateLimit | None
    priority: int | None
    payloadSchema: Mapping[str, Json] | None
    retentionSec: Duration | None


class JobDefinition(JobTerms, total=False):
    """A whole job, as a file has it: `create_job(**definition)`."""

    name: Required[str]


class JobPatch(JobTerms, total=False):
    """What is not named stays; None is a field's default."""

    name: str


# Schedules


class Misfire(TypedDict, total=False):
    policy: Literal["FIRE_ONCE", "FIRE_ALL", "SKIP"]
    graceSec: Duration
    catchupWindowSec: Duration | None


class CalendarRule(TypedDict, total=False):
    calendarId: Required[str]
    onClosed: Literal["SKIP", "NEXT_OPEN", "PREVIOUS_OPEN", "MODIFIED_FOLLOWING"]


class _ScheduleTerms(TypedDict, total=False):
    description: str | None
    labels: Labels | None
    tz: str | None
    enabled: bool | None
    retry: Retrying | None
    timeoutSec: Duration | None
    misfire: Misfire | None
    overlap: Literal["ALLOW", "SKIP", "QUEUE", "QUEUE_ONE", "REPLACE"] | None
    startAt: Moment | None
    endAt: Moment | None
    maxRuns: int | None
    priority: int | None
    calendar: CalendarRule | None
    jitterSec: Duration | None


class ScheduleTerms(_ScheduleTerms, total=False):
    trigger: Required[Trigger]
    target: Required[Target]


class ScheduleDefinition(ScheduleTerms):
    """A whole schedule, as a batch has it."""

    name: str


class SchedulePatch(_ScheduleTerms, total=False):
    """What is not named stays, None is a field's default; `trigger` and `target` are replaced whole."""

    name: str
    trigger: Trigger
    target: Target


class Enabling(TypedDict, total=False):
    """`catchUp`: which of the due times of the pause are run; NONE unless said."""

    catchUp: Literal["NONE", "LAST", "ALL"]
    reason: str


class Disabling(TypedDict, total=False):
    """With `until` it is enabled again by itself then."""

    until: Moment | None
    reason: str


class Skipping(TypedDict, total=False):
    """The next `count` fires (1 unless said), or the one `at` an instant."""

    count: int
    at: Moment
    reason: str


class WithPayload(TypedDict, total=False):
    payload: Json


PreviewTerms = TypedDict(
    "PreviewTerms",
    {
        "calendar": CalendarRule | None,
        "jitterSec": Duration,
        "scheduleId": str,
        "startAt": Moment | None,
        "endAt": Moment | None,
        "from": Moment,
        "from_": Moment,
        "count": int,
    },
    total=False,
)

Stretch = TypedDict("Stretch", {"from": Moment, "from_": Moment, "to": Moment, "maxConcurrent": int}, total=False)


# Runs


class RunTerms(TypedDict, total=False):
    """Without `runAt`, at once. While a run with the same `dedupeKey` is not final, that one is answered."""

    runAt: Moment | None
    dedupeKey: str | None
    labels: Labels
    priority: int | None


class RunOrder(RunTerms, total=False):
    """A whole run, as a batch has it."""

    job: Required[str]
    payload: Json


class RedriveTerms(TypedDict, total=False):
    """How many new runs a second, how many at most, and after how many that die again it stops."""

    perSec: float
    max: int
    stopAfter: int
    payload: Json


LetterFilter = TypedDict(
    "LetterFilter",
    {
        "fingerprint": str | None,
        "job": str | None,
        "scheduleId": str | None,
        "label": str | Sequence[str],
        "from": Moment | None,
        "to": Moment | None,
    },
    total=False,
)


# Calendars


class FixedDate(TypedDict):
    kind: Literal["DATE"]
    month: int
    day: int
    name: str


class NthWeekday(TypedDict):
    kind: Literal["WEEKDAY"]
    month: int
    weekday: Weekday
    nth: int
    name: str


class Easter(TypedDict, total=False):
    kind: Required[Literal["EASTER"]]
    offsetDays: Required[int]
    orthodox: bool
    name: Required[str]


class Country(TypedDict, total=False):
    kind: Required[Literal["COUNTRY"]]
    country: Required[str]
    subdivision: str | None


Holiday: TypeAlias = FixedDate | NthWeekday | Easter | Country


class ExtraOpenDay(TypedDict, total=False):
    date: Required[Day]
    reason: str


Closure = TypedDict("Closure", {"from": Required[Day], "to": Day | None, "reason": str}, total=False)
OpeningHours = TypedDict("OpeningHours", {"weekdays": Sequence[Weekday], "from": str, "to": str})


class CalendarTerms(TypedDict, total=False):
    description: str | None
    labels: Labels | None
    tz: str | None
    workingDays: Sequence[Weekday] | None
    holidays: Sequence[Holiday] | None
    closures: Sequence[Closure] | None
    extraOpenDays: Sequence[ExtraOpenDay] | None
    openingHours: Sequence[OpeningHours] | None
    includes: Sequence[str] | None


class CalendarDefinition(CalendarTerms, total=False):
    """A whole calendar, as a file has it: `create_calendar(**definition)`."""

    name: Required[str]


class CalendarPatch(CalendarTerms, total=False):
    """What is not named stays, None is a field's default; lists are replaced whole."""

    name: str


DaySpan = TypedDict("DaySpan", {"from": Day | None, "from_": Day | None, "to": Day | None}, total=False)


class ImportTerms(DaySpan, total=False):
    dryRun: bool


# Lists


class Paging(TypedDict, total=False):
    """`limit` is from 1 to 200 (50 unless said), `cursor` an answer's `next_cursor`; or by page, with a `total`."""

    limit: int | None
    cursor: str | None


class Numbered(Paging, total=False):
    page: int | None
    pageSize: int | None


class ScheduleFilter(TypedDict, total=False):
    """`name` is a prefix; of the labels (`key:value`), all must be there."""

    enabled: bool | None
    name: str | None
    label: str | Sequence[str] | None
    kind: Literal["JOB", "EVENT", "HTTP", "QUEUE"] | str | None


class ScheduleList(ScheduleFilter, Numbered, total=False): ...


class JobFilter(TypedDict, total=False):
    """`name` is a prefix."""

    name: str | None
    queue: str | None


class JobList(JobFilter, Numbered, total=False): ...


class CalendarFilter(TypedDict, total=False):
    """`name` is a prefix."""

    name: str | None


class CalendarList(CalendarFilter, Numbered, total=False): ...


RunFilter = TypedDict(
    "RunFilter",
    {
        "scheduleId": str | None,
        "job": str | None,
        "workerId": str | None,
        "state": RunState | Sequence[RunState] | None,
        "cause": Cause | Sequence[Cause] | None,
        "label": str | Sequence[str] | None,
        "fingerprint": str | None,
        "from": Moment | None,
        "from_": Moment | None,
        "to": Moment | None,
    },
    total=False,
)


class RunList(RunFilter, Numbered, total=False): ...


DeadFilter = TypedDict(
    "DeadFilter",
    {
        "job": str | None,
        "scheduleId": str | None,
        "label": str | Sequence[str] | None,
        "from": Moment | None,
        "from_": Moment | None,
        "to": Moment | None,
        "redriven": bool,
    },
    total=False,
)


class DeadList(DeadFilter, Paging, total=False): ...


Upcoming = TypedDict("Upcoming", {"from": Moment | None, "from_": Moment | None, "count": int | None}, total=False)


class EventFilters(TypedDict, total=False):
    """`after` is a sequence; `type` as in `scheduler.run.failed` or `scheduler.run.*`; `subject` an aggregate's id."""

    after: int | None
    type: str | None
    subject: str | None


class EventPart(EventFilters, Paging, total=False):
    """A page of them."""
