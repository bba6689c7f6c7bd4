"""O1, O2, O4 and O7: the streams hold what the database says, and nothing else; each effect counts once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from uuid import UUID

from tests.e2e.checker.history import Finding, History, Message, Stored, Stream
from tests.e2e.checker.relaying import judge_relaying
from tests.e2e.checker.streams import EVENTS, REPORTS, WORK

HEARTBEATS = "scheduler.worker.heartbeat."
"""Not in the log, by contract."""


def judge_bus(history: History) -> Iterator[Finding]:
    yield from _effects_once(history.stored)
    if history.streams is None:
        return
    for name, stream in history.streams.items():
        if stream is None:
            yield Finding("O7", name, "the stream does not exist")
    if events := history.streams.get(EVENTS):
        yield from _published(history.stored, events)
        yield from judge_relaying(history, events)
    if work := history.streams.get(WORK):
        yield from _work(history.stored, work)
    if reports := history.streams.get(REPORTS):
        yield from _read_up(reports)


def _effects_once(stored: Stored) -> Iterator[Finding]:
    """Counted where an effect arrives: a listener who takes every event id once."""
    succeeded = Counter(event.key for event in stored.events if event.type == "run.succeeded")
    for key, count in succeeded.items():
        if count > 1:
            yield Finding("O4", str(key[1]), f"{count} different events tell of its success")


def _published(stored: Stored, stream: Stream) -> Iterator[Finding]:
    """Events from before the stream's present life, and those that its limits removed, may be gone from it."""
    sent = {message.id for message in stream.messages if not message.subject.startswith(HEARTBEATS)}
    if stream.first_seq <= 1:
        for event in stored.events:
            if event.at >= stream.created and str(event.id) not in sent:
                yield Finding("O1", str(event.id), f"{event.type} at position {event.position} is not in the stream")
    for phantom in sent - {str(event.id) for event in stored.events}:
        yield Finding("O2", str(phantom), "an event in the stream that the log does not know")


def _work(stored: Stored, stream: Stream) -> Iterator[Finding]:
    runs = {run.id: run for run in stored.runs.values()}
    waiting = set()
    for message in stream.messages:
        attempt = _attempt(message)
        run = runs.get(attempt[0]) if attempt else None
        if attempt is None or run is None or attempt[1] > run.attempt:
            yield Finding("O2", str(message.id), "work that the database knows nothing of")
            continue
        waiting.add(attempt)
        if run.is_final:
            yield Finding("O7", str(message.id), f"work of a run that is {run.state} still waits")
    for run in runs.values():
        if run.kind == "JOB" and run.state == "QUEUED" and (run.id, run.attempt) not in waiting:
            yield Finding("O7", str(run.id), f"QUEUED, and its attempt {run.attempt} is not on the bus")


def _attempt(message: Message) -> tuple[UUID, int] | None:
    """`runId:attempt`, or `runId:attempt:n` for the n-th sending after a loss."""
    match (message.id or "").split(":"):
        case [run, attempt, *_]:
            return UUID(run), int(attempt)
    return None


def _read_up(stream: Stream) -> Iterator[Finding]:
    if not stream.readers:
        yield Finding("O7", REPORTS, "nobody reads the reports")
    for reader in stream.readers:
        if reader.pending or reader.unacknowledged:
            yield Finding(
                "O7", REPORTS, f"{reader.name} has {reader.pending} to read and {reader.unacknowledged} to acknowledge"
            )
