"""What Rota delivers itself, and what it hears: each success arrived, what arrived has a run, a message starts one.

DELIVERED   of EVENT and HTTP targets
HEARD       of EVENT triggers
W1          every delivery verifies with a library of somebody else
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from tests.e2e.checker.faults import excuses, is_excused
from tests.e2e.checker.history import Finding, History, Message, Run, Stream
from tests.e2e.checker.oracle import Life, Rule
from tests.e2e.checker.runs import run_events, verb
from tests.e2e.checker.streams import TOPICS

BUSY = "busy"
"""The receiver that answers 429 to the first delivery of each message."""
RETRY_AFTER = timedelta(seconds=1)
ROUNDING = timedelta(milliseconds=1)
DELIVERED, HEARD, SIGNED = "DELIVERED", "HEARD", "W1"


def judge_deliveries(history: History, lives: Sequence[Life]) -> Iterator[Finding]:
    topics = (history.streams or {}).get(TOPICS)
    if topics is not None:
        yield from _stored_once(history, topics)
        yield from _heard(history, lives, topics)
    if history.witness is not None:
        yield from _requested(history)
        yield from _told_to_wait(history)
    yield from _one_run_each(history)


def _stored_once(history: History, topics: Stream) -> Iterator[Finding]:
    """What was acknowledged before a wipe may be gone with it."""
    counts = Counter(message.id for message in topics.messages)
    runs = {str(run.id): run for run in history.stored.runs.values() if run.kind in ("EVENT", "QUEUE")}
    for run in runs.values():
        kept = run.started_at is not None and run.started_at >= topics.created and topics.first_seq <= 1
        if run.state == "SUCCEEDED" and kept and not counts[str(run.id)]:
            yield Finding(DELIVERED, str(run.id), "SUCCEEDED, and its message is not in the stream")
    for name, count in counts.items():
        if name not in runs:
            yield Finding(DELIVERED, str(name), "a message of a run that does not exist")
        elif count > 1:
            yield Finding(DELIVERED, str(name), f"{count} messages of one run")


def _requested(history: History) -> Iterator[Finding]:
    requests = history.witness.requests if history.witness else ()
    runs = {str(run.id): run for run in history.stored.runs.values() if run.kind == "HTTP"}
    arrived = {request.id for request in requests}
    for run in runs.values():
        if run.state == "SUCCEEDED" and str(run.id) not in arrived:
            yield Finding(DELIVERED, str(run.id), "SUCCEEDED, and its receiver never saw it")
    for name in arrived - runs.keys():
        yield Finding(DELIVERED, name, "a request of a run that does not exist")
    for request in requests:
        if not request.is_signed:
            yield Finding(SIGNED, request.id, f"{request.receiver} could not verify its signature")


def _told_to_wait(history: History) -> Iterator[Finding]:
    """Those that answer 429 name a second; an attempt that was lost, or never tried, was not told."""
    told = run_events(history.stored.events)
    busy = {request.id for request in history.witness.requests if request.receiver == BUSY} if history.witness else ()
    for run in history.stored.runs.values():
        if str(run.id) not in busy:
            continue
        for failed, _, queued in zip(told[run.key], told[run.key][1:], told[run.key][2:], strict=False):
            was_told = verb(failed) == "failed" and failed.data["error"]["type"] == "HttpStatus"
            if was_told and verb(queued) == "queued" and queued.at - failed.at < RETRY_AFTER - ROUNDING:
                yield Finding(
                    "R2", str(run.id), f"tried again after {queued.at - failed.at}, told to wait {RETRY_AFTER}"
                )


def _one_run_each(history: History) -> Iterator[Finding]:
    """By the id that the message brought in its body."""
    started: defaultdict[tuple[UUID, str], list[Run]] = defaultdict(list)
    for run in history.stored.runs.values():
        if run.cause == "EVENT" and run.schedule is not None and (said := _id_of(run)):
            started[run.schedule, said].append(run)
    for (_, said), runs in started.items():
        if len(runs) > 1:
            yield Finding(HEARD, said, f"one message, and {len(runs)} runs of one schedule")


def _heard(history: History, lives: Sequence[Life], topics: Stream) -> Iterator[Finding]:
    """What stands in the stream, and came while somebody listened."""
    heard = {(run.schedule, _id_of(run)) for run in history.stored.runs.values() if run.cause == "EVENT"}
    spans = excuses(history.faults, history.expected.recovery)
    for life in lives:
        for rule, end in life.reigns():
            for message in _meant_for(rule, end, topics):
                assert message.at is not None
                was_short = end - message.at <= history.expected.late or is_excused(spans, message.at, end)
                if (life.key[1], message.id) not in heard and not was_short:
                    yield Finding(
                        HEARD, str(message.id), f"no run of {life.key[1]}, which listened to {message.subject}"
                    )


def _meant_for(rule: Rule, end: datetime, topics: Stream) -> Iterator[Message]:
    """Only subjects without wildcards are told."""
    if rule.trigger == "EVENT":
        subject = rule.definition["trigger"]["subject"]
        yield from (each for each in topics.messages if each.subject == subject and each.at and rule.at < each.at < end)


def _id_of(run: Run) -> str | None:
    said = run.payload.get("id") if isinstance(run.payload, dict) else None
    return said if isinstance(said, str) else None
