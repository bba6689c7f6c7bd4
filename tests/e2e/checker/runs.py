"""R1 to R6: what became of each run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise
from uuid import UUID

from tests.e2e.checker.faults import Span, excuses, is_excused
from tests.e2e.checker.history import Event, Execution, Finding, History, Job, Key, Rejected, Run, Stored

# From the drawing in the contract's words: which event may follow where, and where it leads. FAILED is no state of a
# run: the event that says what follows the failure stands in the same transaction. What waits is DEAD for its deadline.
NEXT: Mapping[str, Mapping[str, str]] = {
    "": {"created": "PENDING", "queued": "QUEUED", "skipped": "SKIPPED"},
    "PENDING": {"queued": "QUEUED", "cancelled": "CANCELLED", "dead": "DEAD"},
    "QUEUED": {"queued": "QUEUED", "started": "RUNNING", "cancelled": "CANCELLED", "dead": "DEAD"},
    "RUNNING": {
        "progressed": "RUNNING",
        "cancelrequested": "RUNNING",
        "succeeded": "SUCCEEDED",
        "failed": "FAILED",
        "queued": "QUEUED",
        "cancelled": "CANCELLED",
    },
    "FAILED": {"retrying": "RETRYING", "queued": "QUEUED", "dead": "DEAD", "cancelled": "CANCELLED"},
    "RETRYING": {"queued": "QUEUED", "cancelled": "CANCELLED", "dead": "DEAD"},
    "SUCCEEDED": {},
    "DEAD": {},
    "CANCELLED": {},
    "SKIPPED": {},
}
NEXT_OF_DELIVERIES = {**NEXT, "RUNNING": {**NEXT["RUNNING"], "retrying": "RETRYING"}}
"""One that was not even tried, because its receiver is known to be away, waits without having failed."""
ENDINGS = frozenset({"succeeded", "failed", "cancelled"})
"""The events that end an attempt; `dead` only says what follows a failure."""
FINAL_REPORTS = frozenset({"SUCCEEDED", "FAILED", "CANCELLED", "RELEASED"})
ROUNDING = timedelta(milliseconds=1)
SAME_MOMENT = timedelta(seconds=2)
"""Two processes' readings of the clock, and a transaction that waited for a lock, lie closer than this."""


def judge_runs(history: History) -> Iterator[Finding]:
    told = run_events(history.stored.events)
    spans = excuses(history.faults, history.expected.recovery)
    for run in history.stored.runs.values():
        yield from _walk(run, told.get(run.key, ()))
        yield from _attempts(run, history.stored)
        yield from _backoffs(run, told.get(run.key, ()), history, spans)
        yield from _cancelled_once(run, told.get(run.key, ()))
        yield from _owner(run, told.get(run.key, ()))
        yield from _end(run, history.stored)
    yield from _cancellations_kept(history, told)
    for key in told.keys() - history.stored.runs.keys():
        yield Finding("R1", str(key[1]), "events of a run that does not exist")
    for report in history.stored.rejected:
        yield from _rightly_rejected(report, told)
    yield from _executions(history, told)
    for key in history.accepted:
        if key not in history.stored.runs and key not in history.stored.schedules:
            yield Finding("R5", str(key[1]), "the API accepted it, and it is gone")


def run_events(events: Iterable[Event]) -> dict[Key, list[Event]]:
    """Each run's own, in order of `seq`; `run.missed` is the schedule's."""
    told: dict[Key, list[Event]] = defaultdict(list)
    for event in events:
        if event.type.startswith("run.") and event.type != "run.missed":
            told[event.key].append(event)
    for own in told.values():
        own.sort(key=lambda event: event.seq)
    return told


def story(events: Sequence[Event]) -> str:
    """A run's events in one line, for a reader of findings."""
    return " ".join(f"{verb(event)}/{event.attempt}" for event in events)


# R1


def _walk(run: Run, events: Sequence[Event]) -> Iterator[Finding]:
    state, attempt = "", 0
    steps = NEXT if run.kind == "JOB" else NEXT_OF_DELIVERIES
    for event in events:
        following = steps[state].get(verb(event))
        if following is None:
            yield Finding("R1", str(run.id), f"{verb(event)} in state {state or 'none'}: {story(events)}")
            return
        attempt += verb(event) == "queued"
        if event.attempt != attempt:
            yield Finding(
                "R2", str(run.id), f"{verb(event)} of attempt {event.attempt}, not {attempt}: {story(events)}"
            )
            return
        state = following
    if state != run.state or attempt != run.attempt:
        yield Finding(
            "R1",
            str(run.id),
            f"stored as {run.state}, attempt {run.attempt}; its events end in {state or 'nothing'}, attempt {attempt}",
        )
    yield from _one_ending_each(run, events)


def _one_ending_each(run: Run, events: Sequence[Event]) -> Iterator[Finding]:
    endings = [event.attempt for before, event in pairwise(events) if _ends_an_attempt(before, event)]
    if len(endings) != len(set(endings)):
        yield Finding("R1", str(run.id), f"an attempt that ended twice: {story(events)}")
    if sum(verb(event) == "succeeded" for event in events) > 1:
        yield Finding("R1", str(run.id), f"succeeded twice: {story(events)}")


def _ends_an_attempt(before: Event, event: Event) -> bool:
    """A cancellation after a failure ends the run, not the attempt."""
    return verb(event) in ENDINGS and not (verb(event) == "cancelled" and verb(before) in ("failed", "retrying"))


# R2


def _attempts(run: Run, stored: Stored) -> Iterator[Finding]:
    counted = sum(1 for ended in run.attempts if ended.outcome != "RELEASED") + (run.state in ("RUNNING", "SUCCEEDED"))
    job = _job(run, stored)
    if job is None and run.job is not None:
        yield Finding("R2", str(run.id), f"its job {run.job} does not exist")
    elif job is not None and counted > job.max_attempts:
        yield Finding("R2", str(run.id), f"{counted} attempts of {job.max_attempts}")


def _backoffs(run: Run, events: Sequence[Event], history: History, spans: Sequence[Span]) -> Iterator[Finding]:
    """From the failure of an attempt until the next is queued, as the job's policy says.

    A fault may make it longer; and so may others, where the job is limited: then the next attempt waits for its turn.
    """
    job = _job(run, history.stored)
    outcomes = {ended.number: ended.outcome for ended in run.attempts}
    for failed, retrying, queued in zip(events, events[1:], events[2:], strict=False):
        if job is None or [verb(each) for each in (failed, retrying, queued)] != ["failed", "retrying", "queued"]:
            continue
        counted = sum(outcomes.get(number) != "RELEASED" for number in range(1, failed.attempt + 1))
        shortest, longest = job.backoff.between(counted)
        waited = queued.at - failed.at
        if waited < shortest - ROUNDING:
            yield Finding(
                "R2", str(run.id), f"attempt {queued.attempt} after {waited}, before the {shortest} of its policy"
            )
        latest = failed.at + longest + history.expected.late
        if not job.is_limited and queued.at > latest and not is_excused(spans, failed.at, queued.at):
            yield Finding("R2", str(run.id), f"attempt {queued.attempt} after {waited}, its policy says {longest}")


def _job(run: Run, stored: Stored) -> Job | None:
    return stored.jobs.get((run.tenant, run.job)) if run.job else None


# R3


def _owner(run: Run, events: Sequence[Event]) -> Iterator[Finding]:
    """The worker of the first STARTED stored owns the attempt; whatever ends it carries that worker."""
    owner: UUID | None = None
    for event in events:
        if verb(event) == "queued":
            owner = None
        elif verb(event) == "started":
            owner = event.worker
            if owner is None:
                yield Finding("R3", str(run.id), f"attempt {event.attempt} was started by nobody")
        elif verb(event) in ENDINGS | {"progressed"} and event.worker != owner:
            yield Finding(
                "R3", str(run.id), f"attempt {event.attempt} is of worker {owner}, its {verb(event)} of {event.worker}"
            )
    if run.state in ("RUNNING", "SUCCEEDED") and run.worker != owner:
        yield Finding("R3", str(run.id), f"stored with worker {run.worker}, started by {owner}")


def _rightly_rejected(report: Rejected, told: Mapping[Key, Sequence[Event]]) -> Iterator[Finding]:
    """A final report of the current attempt from its owner counts; only clear cases are judged."""
    if report.run is None or report.kind not in FINAL_REPORTS:
        return
    events = told.get((report.tenant, report.run), ())
    if any(abs(event.at - report.at) <= SAME_MOMENT for event in events):
        return
    last = max((event for event in events if event.at < report.at), key=lambda event: event.seq, default=None)
    if last is None or verb(last) not in ("started", "progressed"):
        return
    if (last.attempt, last.worker) == (report.attempt, report.worker):
        text = f"{report.kind} of its running attempt was rejected ({report.reason}): {story(events)}"
        yield Finding("R3", str(report.run), text)


# R4


def _executions(history: History, told: Mapping[Key, Sequence[Event]]) -> Iterator[Finding]:
    queued = {
        (event.subject, event.attempt): event for own in told.values() for event in own if verb(event) == "queued"
    }
    for each in history.executions:
        event = queued.get((each.run, each.attempt))
        if event is None:
            yield Finding("R4", str(each.run), f"{each.worker} executed attempt {each.attempt}, which was never made")
        elif each.began < (event.committed or event.at):
            yield Finding("R4", str(each.run), f"{each.worker} executed attempt {each.attempt} before it was stored")
    jobs = {key: own for key, own in told.items() if key in history.stored.runs and history.stored.runs[key].job}
    yield from _successes(history.stored, jobs, _finished(history.executions))


def _finished(executions: Iterable[Execution]) -> dict[tuple[UUID, int], set[str]]:
    found: dict[tuple[UUID, int], set[str]] = defaultdict(set)
    for each in executions:
        if each.ended is not None:
            found[each.run, each.attempt].add(each.worker)
    return found


def _successes(
    stored: Stored, told: Mapping[Key, Sequence[Event]], finished: Mapping[tuple[UUID, int], set[str]]
) -> Iterator[Finding]:
    """Workers are told apart by name: the journals know no ids, since the server gives those. Only runs of jobs."""
    for own in told.values():
        for event in own:
            if verb(event) != "succeeded" or event.worker is None:
                continue
            worker = stored.workers.get((event.tenant, event.worker))
            name = worker.name if worker else f"unknown {event.worker}"
            if name not in finished.get((event.subject, event.attempt), ()):
                yield Finding(
                    "R4", str(event.subject), f"attempt {event.attempt} succeeded, yet {name} never finished it"
                )


# R5


def _end(run: Run, stored: Stored) -> Iterator[Finding]:
    """Waiting for its own time or a backoff is the only way not to be over: when all is quiet each has had its turn."""
    has_time = run.wake_at is not None and run.wake_at > stored.read_at and not run.has_place
    waits = run.state in ("PENDING", "RETRYING") and has_time
    if not run.is_final and not waits:
        yield Finding("R5", str(run.id), f"still {run.state}, attempt {run.attempt}, due {run.due_at.isoformat()}")
    if run.is_final and run.finished_at is None:
        yield Finding("R5", str(run.id), f"{run.state} without a time of its end")


# R6


def _cancelled_once(run: Run, events: Sequence[Event]) -> Iterator[Finding]:
    """A cancellation wins or loses: either nothing follows it, or it never came."""
    verbs = [verb(event) for event in events]
    if verbs.count("cancelled") > 1:
        yield Finding("R6", str(run.id), f"cancelled twice: {story(events)}")
    if "cancelled" in verbs and "succeeded" in verbs:
        yield Finding("R6", str(run.id), f"both cancelled and succeeded: {story(events)}")
    after = verbs[verbs.index("cancelled") + 1 :] if "cancelled" in verbs else []
    if {"queued", "started"} & set(after):
        yield Finding("R6", str(run.id), f"an attempt after it was cancelled: {story(events)}")
    asked = verbs[verbs.index("cancelrequested") + 1 :] if "cancelrequested" in verbs else []
    if {"queued", "started", "retrying"} & set(asked):
        yield Finding("R6", str(run.id), f"an attempt after it was asked to stop: {story(events)}")


def _cancellations_kept(history: History, told: Mapping[Key, Sequence[Event]]) -> Iterator[Finding]:
    """What the API accepted has been done: at once, or by asking whoever carries it out."""
    for key in history.witness.cancelled if history.witness else ():
        if not {"cancelled", "cancelrequested"} & {verb(event) for event in told.get(key, ())}:
            yield Finding(
                "R6", str(key[1]), f"its cancellation was accepted, and never was: {story(told.get(key, ()))}"
            )


def verb(event: Event) -> str:
    """`succeeded` of `run.succeeded`."""
    return event.type.partition(".")[2]
