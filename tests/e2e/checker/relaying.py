"""O3, O5 and O6: events reach the bus in order, soon, and before the relay's cursor passes them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TypeAlias

from tests.e2e.checker.faults import excuses, is_excused
from tests.e2e.checker.history import CursorSample, Event, Finding, History, Key, Message, Stream

Arrival: TypeAlias = tuple[Event, Message]


def judge_relaying(history: History, stream: Stream) -> Iterator[Finding]:
    arrivals = _first_appearances(history, stream)
    yield from _order(arrivals)
    here = [(event, message) for event, message in arrivals if event.at >= stream.created and message.at]
    if history.witness:
        yield from _cursor(here, history.witness.cursor)
    yield from _age(here, history)


def _first_appearances(history: History, stream: Stream) -> list[Arrival]:
    """Each event once, in the order of the stream."""
    known = {str(event.id): event for event in history.stored.events}
    found: list[Arrival] = []
    for message in sorted(stream.messages, key=lambda each: each.seq):
        event = known.pop(message.id or "", None)
        if event is not None:
            found.append((event, message))
    return found


def _order(arrivals: Sequence[Arrival]) -> Iterator[Finding]:
    last: dict[Key, Event] = {}
    for event, _ in arrivals:
        before = last.get(event.key)
        if before is not None and before.seq > event.seq:
            yield Finding(
                "O3", str(event.subject), f"{event.type} ({event.seq}) came after {before.type} ({before.seq})"
            )
        last[event.key] = event


def _cursor(arrivals: Sequence[Arrival], samples: Sequence[CursorSample]) -> Iterator[Finding]:
    """What the bus stored when a cursor had already been seen beyond it was passed without its acknowledgement."""
    seen_at = [sample.at for sample in samples]
    reached = _running_max([sample.position for sample in samples])
    for event, message in arrivals:
        before = bisect_left(seen_at, message.at) if message.at else 0
        if before and reached[before - 1] >= event.position:
            text = f"the cursor stood at {reached[before - 1]} before the bus had position {event.position}"
            yield Finding("O5", str(event.id), text)


def _running_max(positions: Sequence[int]) -> list[int]:
    found: list[int] = []
    for position in positions:
        found.append(max(position, found[-1]) if found else position)
    return found


def _age(arrivals: Sequence[Arrival], history: History) -> Iterator[Finding]:
    spans = excuses(history.faults, history.expected.recovery)
    for event, message in arrivals:
        told: datetime = event.committed or event.at
        if message.at and message.at - told > history.expected.relayed and not is_excused(spans, told, message.at):
            age = (message.at - told).total_seconds()
            yield Finding("O6", str(event.id), f"{event.type} reached the bus after {age:.1f} s, outside faults")
